"""What is wrong with one picture: by itself, and against what its camera is used to show."""

from collections.abc import Mapping

from agent.findings import Cause
from agent.policy import PicturePolicy
from drivers.readings import PictureReading, Unknown

# What a picture shows of light: at most one of these at a time.
LIGHT = "light"
# What a camera looks at: another view, or a lens that is covered.
VIEW = "view"
FROZEN = "frozen"
OBSTRUCTED, BLUR, CAST, PINK = "obstructed", "blur", "cast", "pink"
# These come with lorries, fog and dawn, and mostly go again.
PASSING = (OBSTRUCTED, BLUR, CAST, PINK)

# By kind of fault: its cause, or None where it was looked for and is not there.
Findings = Mapping[str, Cause | None]


def picture_causes(
    picture: PictureReading, policy: PicturePolicy, *, ptz: bool = False
) -> Findings:
    """Name what is wrong, and what was found well; a kind that is not named was not to be told.

    Light has one fault at a time, under `light`; in a picture without light nothing else can be
    looked for. A camera that is steered (`ptz`) has no view of its own, moves and stands as its
    operator likes.
    """
    light = light_cause(picture, policy)
    if light is not None:
        return {LIGHT: light}
    night = _below(picture.chroma_levels, policy.grey_chroma_levels)
    noise = policy.noise_levels * (2 if night else 1)
    found = {
        LIGHT: None,
        **_at_most(noise, "noise", "camera.noise", levels=picture.noise_levels),
        **_at_most(policy.snow_ratio, "snow", "camera.snow", ratio=picture.impulse_ratio),
        **_pink(picture, policy),
    }
    if ptz:
        return found
    shake = _at_most(policy.shake_pixels, "shake", "camera.shaking", pixels=picture.shake_pixels)
    return {**found, **shake, **_frozen(picture, policy), **_unlike_itself(picture, policy)}


def _pink(picture: PictureReading, policy: PicturePolicy) -> Findings:
    """Tell the cast of an infrared filter that stays open: grass is green and brick is orange."""
    a, b = picture.tint_a_levels, picture.tint_b_levels
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return {}
    if not a > 0 or b > a / 2 or not _above(picture.cast_spread_ratio, policy.cast_spread_ratio):
        return {PINK: None}
    return _at_most(policy.cast_levels, PINK, "camera.colour_cast", levels=picture.cast_levels)


def _frozen(picture: PictureReading, policy: PicturePolicy) -> Findings:
    """Tell a picture that stands still; one check soon after another has nothing to say of it."""
    still = picture.still_levels
    if isinstance(still, Unknown):
        return {}
    if still > policy.still_levels:
        return {FROZEN: None}
    # Of a scene that often stands still it proves nothing, and nothing to the contrary.
    living = _below(picture.still_ratio, policy.still_ratio)
    return {FROZEN: Cause(code="camera.frozen")} if living else {}


def _unlike_itself(picture: PictureReading, policy: PicturePolicy) -> Findings:
    """Name in what a picture differs from what its camera is used to show.

    A covered lens, a picture in pieces, or another view explains the rest: nothing else is said.
    """
    if _above(picture.covered_ratio, policy.covered_ratio):
        return {VIEW: _cause("camera.covered", ratio=picture.covered_ratio)}
    # Bands tear the view apart; a gate has bars, so a pattern counts only where it was not before.
    grown = _above(picture.band_growth, policy.growth)
    bands = _at_most(policy.band_ratio, "bands", "camera.bands", ratio=picture.band_ratio)
    found = _if_known(picture.band_growth, bands if grown else {"bands": None})
    if any(found.values()) or not assessable(picture, policy):
        return found
    found = {**found, **_view(picture, policy)}
    if any(found.values()):
        return found
    grown = _above(picture.stripe_growth, policy.growth)
    stripes = _at_most(policy.stripe_ratio, "stripes", "camera.stripes", ratio=picture.stripe_ratio)
    steepness, shift = picture.steepness_ratio, picture.cast_shift_levels
    blurred = _below(steepness, policy.blur_ratio)
    blur = _cause("camera.blurred", ratio=steepness) if blurred else None
    return {
        **found,
        **_if_known(picture.stripe_growth, stripes if grown else {"stripes": None}),
        **_if_known(steepness, {BLUR: blur}),
        **_at_most(policy.cast_shift_levels, CAST, "camera.colour_cast", levels=shift),
    }


def _view(picture: PictureReading, policy: PicturePolicy) -> Findings:
    """Tell another view, or one that something stands in front of."""
    most = _view_limit(picture, policy)
    # A camera that turns by itself has no view to lose.
    if most is not None and isinstance(picture.view_change, Unknown):
        return {}
    if most is None or not _above(picture.view_change, most):
        return {VIEW: None, OBSTRUCTED: None}
    if not _above(picture.kept_ratio, policy.kept_ratio):
        return {VIEW: _view_cause(picture, policy)}
    # The camera looks where it did: a lorry, or a banner, stands in front of the rest.
    hidden = 1.0 if isinstance(picture.kept_ratio, Unknown) else 1 - picture.kept_ratio
    return {VIEW: None, OBSTRUCTED: _cause("camera.obstructed", ratio=hidden)}


def _view_limit(picture: PictureReading, policy: PicturePolicy) -> float | None:
    """Return how unlike a view may be: what is usual for it, several times; None: it turns."""
    usual = picture.view_usual
    if isinstance(usual, Unknown):
        return policy.view_change
    if usual > policy.view_unsteady:
        return None
    return min(policy.view_change, max(policy.view_change_least, policy.view_growth * usual))


def _view_cause(picture: PictureReading, policy: PicturePolicy) -> Cause:
    """Tell a lens that is covered but for a corner from one that looks elsewhere."""
    little = _below(picture.structured_ratio, policy.covered_structure_ratio)
    if little and _above(picture.covered_ratio, policy.covered_ratio / 2):
        return _cause("camera.covered", ratio=picture.covered_ratio)
    return _cause("camera.view_changed", change=picture.view_change)


def assessable(picture: PictureReading, policy: PicturePolicy) -> bool:
    """Tell whether there is enough in a picture to know its view by."""
    return not _below(picture.structured_ratio, policy.least_structure_ratio)


def light_cause(picture: PictureReading, policy: PicturePolicy) -> Cause | None:
    """Name the one fault of a picture's light, the emptiest first."""
    if (
        picture.flat_ratio > policy.no_signal_flat_ratio
        and picture.dominant_ratio > policy.no_signal_dominant_ratio
    ):
        if picture.luma_p98 < policy.dark_p98:
            return Cause(code="camera.black", params={"luma_p98": picture.luma_p98})
        if picture.luma_mean > policy.bright_mean:
            return Cause(code="camera.white", params={"luma_mean": round(picture.luma_mean, 1)})
        ratio = round(picture.dominant_ratio, 2)
        return Cause(code="camera.no_signal", params={"dominant_ratio": ratio})
    if picture.luma_p98 < policy.dark_p98:
        return Cause(code="camera.dark", params={"luma_p98": picture.luma_p98})
    if (
        picture.saturated_ratio > policy.bright_saturated_ratio
        or picture.luma_mean > policy.bright_mean
    ):
        ratio = round(picture.saturated_ratio, 2)
        return Cause(code="camera.bright", params={"saturated_ratio": ratio})
    if (
        picture.luma_std < policy.contrast_std
        or picture.luma_p98 - picture.luma_p2 < policy.contrast_span
    ):
        std = round(picture.luma_std, 1)
        return Cause(code="camera.low_contrast", params={"luma_std": std})
    return None


def _at_most(most: float, kind: str, code: str, **figure: float | Unknown) -> Findings:
    """Name a kind by one figure, which may be so much."""
    [value] = figure.values()
    return _if_known(value, {kind: _cause(code, **figure) if _above(value, most) else None})


def _if_known(value: float | Unknown, found: Findings) -> Findings:
    return {} if isinstance(value, Unknown) else found


def _above(value: float | Unknown, limit: float) -> bool:
    return not isinstance(value, Unknown) and value > limit


def _below(value: float | Unknown, limit: float) -> bool:
    return not isinstance(value, Unknown) and value < limit


def _cause(code: str, **figures: float | Unknown) -> Cause:
    told = {name: round(one, 2) for name, one in figures.items() if not isinstance(one, Unknown)}
    return Cause(code=code, params=dict(told))
