"""Rows that play on a page: their place in the address, sounds, and files of what they show."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from srnn_lab.dashboard.address import LONGEST, settle_place, share_place
from srnn_lab.dashboard.cache import Choice
from srnn_lab.dashboard.panels.keep import Files, scene_files, sound_file
from srnn_lab.dashboard.panels.sounds import Wanted, ask_for, make_missing, ready, unasked
from srnn_lab.dashboard.words import time_unit, unit_seconds
from srnn_lab.pictures.scene import Row, Scene
from srnn_lab.player.component import Place, place_of, player


def player_key(key: str, choice: Choice) -> str:
    """The key of a page's player; that of tables is another, which never had what plays."""
    return key if choice.checkpoint.config.data.kind.heard else f"table-{key}"


class RowsPanel:
    """The rows of a page, which makes it first, as what it shows may depend on a link's place.

    The page draws it once, and makes the sounds that are missing when everything else has been
    shown.

    Args:
        key: Of the player.
        choice: What it shows, or what that is made of.
        length: Of the time axis, if that is known by now; a link to a place beyond it is a link to
            the page.

    Attributes:
        key: Of the player.
        choice: What it shows, or what that is made of.
        scene: What is drawn; from ``draw`` on.
        sounds: Gives the sounds that are made; from ``draw`` on.
    """

    scene: Scene

    def __init__(self, key: str, choice: Choice, length: float = LONGEST):
        self.key, self.choice = key, choice
        settle_place(key, choice, length)

    @property
    def place(self) -> Place | None:
        """Where the player stands, or what is selected in it; None before a choice."""
        return place_of(self.key)

    def draw(
        self,
        rows: Sequence[Row],
        times: Float[np.ndarray, "t"],
        description: str,
        wanted: Wanted,
        *,
        all_at_once: bool = False,
        **details: Any,
    ) -> None:
        """Draw the rows with the sounds made so far, and keep the player's place in the address.

        Args:
            rows: From top to bottom.
            times: Middle of each frame.
            description: For who does not see the rows.
            wanted: The sounds.
            all_at_once: Whether all of them are made, though the clip is long.
            details: Further fields of the ``Scene``; by default its axis is that of the clip.
        """
        data = self.choice.checkpoint.config.data
        axis: dict[str, Any] = {
            "end": self.choice.length,
            "unit": time_unit(data),
            "seconds": unit_seconds(data),
        }
        if data.kind.notes:
            axis["bars"] = self.choice.timing.beats(self.choice.length)
        self._wanted = wanted if all_at_once else unasked(self.choice, wanted)
        self._on_request = [name for name in wanted if name not in self._wanted]
        self.scene = Scene(rows, times, description, **axis | details)
        self.sounds = ready(self._wanted, at_hand=bool(wanted) and not data.kind.notes)
        player(
            self.scene,
            self.sounds(),
            self.key,
            [*self._wanted],
            self._on_request,
            lambda name: ask_for(wanted[name][0]),
        )
        share_place(self.key)

    def files(self, title: str, arrays: Mapping[str, np.ndarray]) -> Files:
        """The player as a page, as a picture and as arrays, and what is heard.

        Args:
            title: Heading of that page.
            arrays: What is kept beside the rows as they are drawn.

        Returns:
            An HTML page, an SVG picture, an .npz file and, where there are sounds, a WAV file. Each
            is made when it is asked for.
        """
        heard = sound_file(self.sounds, self.key) if self._wanted else {}
        return {**scene_files(title, self.scene, self.sounds, self.key, arrays), **heard}

    def make_missing_sounds(self) -> None:
        """Make the missing sounds and bring them to the player; nothing should follow on a page."""
        make_missing(self.key, self._wanted, self._on_request)
