"""What kind of sound a phone is: names of TIMIT (ARPAbet) and of festvox-ru's Russian phones."""

import re

_SOUNDS = {
    "pause": "pau h# epi sil sp spn ssil #h _ <p:> <sil> #",
    "closure": "bcl dcl gcl pcl tcl kcl",
    "stop": "p b t d k g q pp bb tt dd kk gg",
    "affricate": "ch jh c",
    "fricative": "s z sh zh f v th dh h hh hv ss zz ff vv sch",
    "vowel": (
        "iy ih eh ey ae aa aw ay ah ao oy ow uh uw ux er ax ix axr ax-h ii yy uu ee oo a e i y u "
        "ur o"
    ),
    "sonorant": "m n ng em en eng nx mm nn l r w el j ll rr dx",
}
_KIND = {name: kind for kind, names in _SOUNDS.items() for name in names.split()}


def phone_kind(name: str) -> str:
    """The kind of a phone.

    The stress digit of ARPAbet (``AH0``) and upper case do not count. The glide y of ARPAbet counts
    as the vowel of that name of the Russian set.

    Returns:
        A kind such as ``vowel`` or ``closure``; ``pause`` for an empty name, ``other`` for an
        unknown one.
    """
    return _KIND.get(re.sub(r"\d$", "", name.strip().lower()), "other") if name.strip() else "pause"
