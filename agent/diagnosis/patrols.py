"""The patrol and the posts today, and the duties the site has nothing for."""

from collections.abc import Iterator

from agent.diagnosis.checks import CheckResult, causes_of, result, seen
from agent.diagnosis.lines import unheard
from agent.diagnosis.look import Look
from agent.findings import Cause
from agent.monitors.patrol_events import SITE
from agent.settings import DUTIES, SiteSettings
from agent.text import printable

_NOT_YET = Cause(code="unknown.not_yet")


def patrols(site: SiteSettings, look: Look) -> Iterator[CheckResult]:
    """Check the tours and the posts; only the running agent saw who came by."""
    if site.configured("patrol"):
        state = look.state("patrol", SITE) if look.running else None
        if state is None:
            yield unheard("patrol.tours", "", look)
        else:
            done, required = int(state["tours_done"]), int(state["tours_min_per_day"])
            evidence = seen("tours", done=done, required=required)
            causes = causes_of(state) or [_NOT_YET]
            yield result("patrol.tours", "", state["verdict"], *causes, evidence=evidence)
    for post in site.post:
        state = look.state("post", post.id) if look.running else None
        if state is None:
            yield unheard("patrol.post", post.id, look)
        else:
            evidence = seen("post", at=str(state["tapped_at"] or "unknown")[:16])
            causes = causes_of(state) or [_NOT_YET]
            yield result("patrol.post", post.id, state["verdict"], *causes, evidence=evidence)


def duties(site: SiteSettings) -> Iterator[CheckResult]:
    """Tell of every duty without a device: skipped with the site's reason, or not measured."""
    for duty in DUTIES:
        name, reason = duty.replace("_", "-"), site.not_fitted.reason(duty)
        if reason is not None:
            evidence = seen("not_fitted", duty=duty, reason=printable(reason))
            yield result("duty.fitted", name, "skip", evidence=evidence)
        elif not site.configured(duty):
            yield result("duty.fitted", name, "unknown", Cause(code="unknown.not_measured"))
