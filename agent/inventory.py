"""What a site has, as its `about` message tells the county: ids, names of places, duties."""

import hashlib
from collections.abc import Sequence

from agent.policy import Camera, Channel
from agent.settings import DUTIES, Recorder, SiteSettings


def inventory(site: SiteSettings) -> dict[str, object]:
    """Return the inventory; `settings_hash` changes whenever the settings in force do."""
    return {
        "name": site.site.name,
        "timezone": site.site.timezone,
        "settings_hash": hashlib.sha256(site.model_dump_json().encode()).hexdigest()[:16],
        "objects": named_objects(site),
        "not_fitted": not_fitted(site),
    }


def named_objects(site: SiteSettings) -> dict[str, dict[str, str]]:
    """Return the name of every object of a site, by kind and id."""
    return {
        "button": {button.id: button.name for button in site.panic_buttons},
        "contact": {
            contact.id: contact.name for module in site.alarm_module for contact in module.contact
        },
        "output": {
            output.id: output.name for module in site.alarm_module for output in module.output
        },
        "reader": {reader.id: reader.name for reader in site.nfc_reader},
        "checkpoint": {checkpoint.id: checkpoint.name for checkpoint in site.checkpoint},
        "post": {post.id: post.name for post in site.post},
        "round": {one.id: one.name for one in site.round},
        "guard": {card.id: card.name for card in site.guard_card},
        "recorder": {recorder.id: recorder.name for recorder in site.recorder},
        "camera": {camera.id: camera.name for camera in cameras(site)},
    }


def not_fitted(site: SiteSettings) -> dict[str, str]:
    """Return the duties this site has no hardware for, and why."""
    reasons = ((duty, site.not_fitted.reason(duty)) for duty in DUTIES)
    return {duty: reason for duty, reason in reasons if reason is not None}


def cameras(site: SiteSettings) -> Sequence[Camera]:
    """Return the cameras behind all recorders' channels."""
    return [
        Camera(
            id=channel.id,
            name=channel.name,
            recorder=recorder.id,
            channel=channel.number,
            expect_fps=channel.expect.fps,
            expect_codec=channel.expect.codec,
            ptz=channel.ptz,
        )
        for recorder in site.recorder
        for channel in recorder.channel
    ]


def retention_channels(recorder: Recorder) -> Sequence[Channel]:
    """Return a recorder's channels as the retention rule knows them."""
    return [
        Channel(
            recorder=recorder.id,
            number=channel.number,
            id=channel.id,
            name=channel.name,
            key_area=channel.key_area,
            installed=channel.installed,
        )
        for channel in recorder.channel
    ]
