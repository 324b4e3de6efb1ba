"""The kinds of events where the KL is measured, by name; light, as the command line lists them."""

SOUND_EVENTS = {
    "silence-to-sound": "silence to sound",
    "sound-to-silence": "sound to silence",
    "onset": "spectral onset",
}
PHONE_EVENTS = {
    "phone": "phone boundary",
    "closure-to-burst": "closure to burst",
    "vowel-to-fricative": "vowel to fricative",
    "pause-to-speech": "pause to speech",
}
"""Those that labels tell of."""
MUSIC_EVENTS = {"chord-change": "chord change"}
EVENT_KINDS = {**SOUND_EVENTS, **PHONE_EVENTS, **MUSIC_EVENTS}
"""Kind of event -> what a reader calls it; the only list."""
