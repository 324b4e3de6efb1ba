"""What the player's halves tell each other; ``player/js/bytes.js`` has the same types and names."""

from typing import Literal, TypedDict


class ArraySent(TypedDict):
    """Where an array lies among the bytes: its kind of number, its first byte and its length."""

    kind: str
    start: int
    length: int


class LineSent(TypedDict):
    """A curve."""

    name: str
    colour: str
    style: Literal["line", "under", "steps", "dots", "rings"]
    times: ArraySent
    values: ArraySent


class LinesSent(TypedDict):
    """A row of curves."""

    title: str
    unit: str
    limits: tuple[float, float]
    note: str
    lines: list[LineSent]


class PictureSent(TypedDict):
    """A row, from ``start`` to ``end``, with a column of colours of ``bins`` values a frame."""

    title: str
    unit: str
    limits: tuple[float, float]
    ticks: list[tuple[float, str]]
    axis: str
    ends: tuple[str, str] | None
    start: float
    end: float
    bins: int
    values: ArraySent
    colours: ArraySent


class NamesSent(TypedDict):
    """A row of names."""

    title: str
    names: list[str]
    times: ArraySent


class Frame(TypedDict):
    """The frames that selections snap to: the first's start, from one to the next, and how many."""

    start: float
    step: float
    count: int


class SoundSent(TypedDict):
    """What can be heard, and where.

    The address is that of its WAV file: empty, if it is not made yet, or only ``onRequest``.
    """

    name: str
    address: str
    onRequest: bool


class Jump(TypedDict):
    """Where the playhead is put, or what is selected; another ``number`` is another jump."""

    start: float
    end: float
    number: int


class LookSent(TypedDict):
    """What is zoomed to and heard; another ``number`` is another look."""

    start: float
    end: float
    sound: str
    number: int


class Content(TypedDict):
    """What is drawn."""

    rows: list[LinesSent | PictureSent | NamesSent]
    end: float
    frame: Frame
    unit: str
    seconds: float
    marks: ArraySent
    markName: str
    bars: list[tuple[float, int]]
    description: str


class Orders(TypedDict):
    """What goes with the content; another ``turn`` means that sounds came since the last one."""

    key: str
    jump: Jump | None
    look: LookSent | None
    turn: int
    sounds: list[SoundSent]


class Head(Content, Orders):
    """What stands before the arrays; ``digest`` names the content."""

    digest: str


class Delivery(TypedDict):
    """Sounds that follow the rows with that digest."""

    key: str
    digest: str
    sounds: list[SoundSent]


class PlaceTold(TypedDict):
    """What the browser tells of the playhead or the selection, and when it did."""

    start: float
    end: float
    at: float


class LookTold(TypedDict):
    """What the browser tells of the zoom (everything: from 0 to 0) and the sound."""

    start: float
    end: float
    sound: str | None


class AskTold(TypedDict):
    """What the browser tells of a sound that is to be made, and when it did."""

    name: str
    at: float
