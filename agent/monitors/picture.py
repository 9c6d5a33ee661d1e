"""What is wrong with one picture: by itself, and against what its camera is used to show."""

from collections.abc import Mapping

from agent.findings import Cause
from agent.policy import PicturePolicy
from drivers.readings import PictureReading, Unknown

# What a picture shows of light: at most one of these at a time.
LIGHT = "light"
# What a camera looks at: another view, or a lens that is covered.
VIEW = "view"
OBSTRUCTED, BLUR, CAST = "obstructed", "blur", "cast"
# These come with lorries, fog and dawn, and mostly go again.
PASSING = (OBSTRUCTED, BLUR, CAST)


def picture_causes(
    picture: PictureReading, policy: PicturePolicy, *, ptz: bool = False
) -> Mapping[str, Cause]:
    """Name what is wrong, by what is wrong with it; in an empty picture nothing else is looked for.

    Light has one fault at a time, under `light`. A camera that is steered (`ptz`) has no view of
    its own, moves and stands as its operator likes.
    """
    light = light_cause(picture, policy)
    if light is not None:
        return {LIGHT: light}
    night = _below(picture.chroma_levels, policy.grey_chroma_levels)
    noise_limit = policy.noise_levels * (2 if night else 1)
    found: dict[str, Cause] = {}
    if _above(picture.noise_levels, noise_limit):
        found["noise"] = _cause("camera.noise", levels=picture.noise_levels)
    if _above(picture.impulse_ratio, policy.snow_ratio):
        found["snow"] = _cause("camera.snow", ratio=picture.impulse_ratio)
    if _is_pink(picture, policy):
        found[CAST] = _cause("camera.colour_cast", levels=picture.cast_levels)
    if ptz:
        return found
    if _above(picture.shake_pixels, policy.shake_pixels):
        found["shake"] = _cause("camera.shaking", pixels=picture.shake_pixels)
    return {**found, **_unlike_itself(picture, policy)}


def _is_pink(picture: PictureReading, policy: PicturePolicy) -> bool:
    """Tell the cast of an infrared filter that stays open: grass is green and brick is orange."""
    a, b = picture.tint_a_levels, picture.tint_b_levels
    if isinstance(a, Unknown) or isinstance(b, Unknown) or not a > 0 or b > a / 2:
        return False
    strong = _above(picture.cast_levels, policy.cast_levels)
    return strong and _above(picture.cast_spread_ratio, policy.cast_spread_ratio)


def _unlike_itself(picture: PictureReading, policy: PicturePolicy) -> Mapping[str, Cause]:
    """Name in what a picture differs from what its camera is used to show.

    A covered lens, another view, or a picture in pieces explains the rest: nothing else is said.
    """
    found: dict[str, Cause] = {}
    still = picture.still_levels
    living = _below(picture.still_ratio, policy.still_ratio)
    if living and not isinstance(still, Unknown) and still <= policy.still_levels:
        found["frozen"] = Cause(code="camera.frozen")
    if _above(picture.covered_ratio, policy.covered_ratio):
        return {**found, VIEW: _cause("camera.covered", ratio=picture.covered_ratio)}
    # Bands tear the view apart; a gate has bars, so a pattern counts only where it was not before.
    if _above(picture.band_ratio, policy.band_ratio) and _above(picture.band_growth, policy.growth):
        return {**found, "bands": _cause("camera.bands", ratio=picture.band_ratio)}
    if not assessable(picture, policy):
        return found
    most = _view_limit(picture, policy)
    if most is not None and _above(picture.view_change, most):
        if _above(picture.kept_ratio, policy.kept_ratio):
            # The camera looks where it did: a lorry, or a banner, stands in front of the rest.
            hidden = 1.0 if isinstance(picture.kept_ratio, Unknown) else 1 - picture.kept_ratio
            return {**found, OBSTRUCTED: _cause("camera.obstructed", ratio=hidden)}
        return {**found, VIEW: _view_cause(picture, policy)}
    striped = _above(picture.stripe_ratio, policy.stripe_ratio)
    if striped and _above(picture.stripe_growth, policy.growth):
        found["stripes"] = _cause("camera.stripes", ratio=picture.stripe_ratio)
    if _below(picture.steepness_ratio, policy.blur_ratio):
        found[BLUR] = _cause("camera.blurred", ratio=picture.steepness_ratio)
    if _above(picture.cast_shift_levels, policy.cast_shift_levels):
        found[CAST] = _cause("camera.colour_cast", levels=picture.cast_shift_levels)
    return found


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


def _above(value: float | Unknown, limit: float) -> bool:
    return not isinstance(value, Unknown) and value > limit


def _below(value: float | Unknown, limit: float) -> bool:
    return not isinstance(value, Unknown) and value < limit


def _cause(code: str, **figures: float | Unknown) -> Cause:
    told = {name: round(one, 2) for name, one in figures.items() if not isinstance(one, Unknown)}
    return Cause(code=code, params=dict(told))
