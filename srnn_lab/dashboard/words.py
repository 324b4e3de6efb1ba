"""What the pages say of each kind of frame."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """What the pages say of one kind of frame.

    Attributes:
        look_for: What to look for in the KL.
        heard: What mean and sample sound like.
        reconstruction: What is heard of a model's reconstruction.
        mean: What a row of E[x] shows, and on which scale.
        notebook: The notebook about such frames.
        note: How the sound of frames is made, where that needs a word.
    """

    look_for: str
    heard: str
    reconstruction: str
    mean: str
    notebook: str
    note: str = ""


WORDS = {
    "raw": Words(
        look_for="On raw samples the KL follows voicing: every voiced frame costs. It leaps where the sound breaks "
        "off.",
        heard="The sample adds the noise that p(x | z) allows, so it hisses where the log-variance is high.",
        reconstruction="the mean of x under the posterior",
        mean="amplitude of the waveform, all rows on the clip's scale",
        notebook="08_speech",
    ),
    "log-mel": Words(
        look_for="On log-mel frames a steady vowel is predicted well, and the KL rises where the sound changes.",
        heard="The sample adds the noise that p(x | z) allows, so it is rougher than the mean.",
        reconstruction="the mean of x under the posterior, with phases that fit (Griffin-Lim)",
        mean="standardised log-mel energies, all rows in the clip's colours",
        notebook="08_speech",
        note="Log-mel energies hold no phases: Griffin-Lim finds some that fit.",
    ),
    "roll": Words(
        look_for="The KL is small while a chord is held and rises with the next one, most where it is unusual.",
        heard="The mean plays the notes with p above ½; the sample draws each note with its p. The page *Studio* lets "
        "the model go on from any bar, at any temperature.",
        reconstruction="the notes with p above ½",
        mean="p(note) as opacity",
        notebook="09_music",
        note="Of a reconstruction, the notes whose p(note) is above 0.5 are played.",
    ),
}
"""Kind of frame -> what is said of it."""
