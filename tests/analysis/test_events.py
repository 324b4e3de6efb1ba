"""What happens in a clip, and whether the KL is larger there: against brute force and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import music_run, roll, speech_run, untrained, wave

from srnn_lab.analysis.event_areas import measure_areas
from srnn_lab.analysis.event_kinds import EVENT_KINDS, MUSIC_EVENTS, PHONE_EVENTS, SOUND_EVENTS
from srnn_lab.analysis.events import (
    clip_events,
    frame_levels,
    frames_at,
    kinds_of,
    phone_events,
    starts_of_sound,
)
from srnn_lab.analysis.inspection import inspect_signal
from srnn_lab.analysis.transitions import measure_transitions, near_frames, roc_area
from srnn_lab.config import DataConfig
from srnn_lab.data.labels import Labels

RAW = DataConfig(features="raw")
TIMES = (np.arange(40) + 0.5) / 80  # frames of 200 samples at 16 kHz
LEVELS = np.full(40, -60.0)


def phones(*pairs):
    times, names = zip(*pairs, strict=True)
    return Labels(np.array(times, float), names)


def test_sound_sets_in_after_enough_silence_and_ends_before_enough():
    active = np.array([1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 1], bool)
    assert starts_of_sound(active, 1).tolist() == [3, 7, 10, 15]
    assert starts_of_sound(active, 3).tolist() == [7, 15]
    assert starts_of_sound(active, 4).tolist() == [15]
    assert starts_of_sound(np.array([0, 0, 1], bool), 3).tolist() == []
    assert (
        starts_of_sound(np.ones(4, bool), 1).tolist()
        == starts_of_sound(np.zeros(4, bool), 1).tolist()
        == []
    )


def test_a_burst_of_noise_between_silence_sets_in_and_ends_where_it_was_put():
    run = speech_run()
    start, end, frame = run.data.rate // 4, run.data.rate // 2, run.data.hop / run.data.rate
    signal = np.zeros(run.data.rate, np.float32)
    signal[start:end] = np.random.default_rng(0).normal(size=end - start) * 0.1
    clip = inspect_signal(untrained(run), signal)
    events = clip_events(clip, signal, run.data)
    assert list(events) == list(SOUND_EVENTS)
    assert clip.times[events["silence-to-sound"]] == pytest.approx([0.25], abs=frame)
    assert clip.times[events["sound-to-silence"]] == pytest.approx([0.5], abs=frame)
    assert not clip.active[events["sound-to-silence"]].any()
    assert clip.active[events["silence-to-sound"]].all()


def test_boundaries_of_phones_by_kind():
    spoken = phones(
        (0, "pau"), (0.1, "AA1"), (0.15, "S"), (0.2, "S"), (0.25, "sil"), (0.3, ""), (0.35, "t")
    )
    found = {
        kind: TIMES[phone_events(kind, spoken, TIMES, LEVELS)].tolist() for kind in PHONE_EVENTS
    }
    nearest = {at: TIMES[np.abs(TIMES - at).argmin()] for at in (0.1, 0.15, 0.25, 0.35)}
    near = lambda *at: pytest.approx([nearest[time] for time in at], abs=0.0126)  # noqa: E731 (ties)
    assert found["phone"] == near(0.1, 0.15, 0.25, 0.35)
    assert found["pause-to-speech"] == near(0.1, 0.35)
    assert found["vowel-to-fricative"] == near(0.15)
    assert found["closure-to-burst"] == []


def test_a_burst_is_where_a_closure_ends_or_where_the_level_rises_within_a_stop():
    labelled = phones((0, "h#"), (0.1, "tcl"), (0.2, "t"), (0.3, "iy"))
    assert (
        phone_events("closure-to-burst", labelled, TIMES, LEVELS).tolist()
        == frames_at(np.array([0.2]), TIMES).tolist()
    )
    whole, levels = phones((0, "pau"), (0.1, "tt"), (0.3, "ii"), (0.4, "p")), LEVELS.copy()
    levels[14:] += 20  # within the first stop
    levels[10:] += 5
    levels[34:] += 3  # within the second, too little
    assert phone_events("closure-to-burst", whole, TIMES, levels).tolist() == [14]


def test_times_outside_of_the_frames_are_no_events():
    assert frames_at(np.array([-0.1, 0.0, 0.013, 0.499, 0.5, 0.6]), TIMES).tolist() == [0, 1, 39]
    assert frames_at(np.zeros(0), TIMES).tolist() == []


def test_levels_are_decibels_below_full_scale():
    square = np.concatenate([np.ones(200), 0.1 * np.ones(200), np.zeros(200)]).astype(np.float32)
    assert frame_levels(square, RAW) == pytest.approx([0, -20, -90.3], abs=0.05)


def clips(*seeds):
    tested = untrained(speech_run())
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        clip = inspect_signal(tested, wave())
        frames = len(clip.kl)
        found.append(
            replace(
                clip,
                kl=rng.normal(seed, 1, frames).astype(np.float32),
                active=rng.random(frames) > 0.3,
            )
        )
    return found


def test_areas_and_their_null_equal_brute_force():
    tested = clips(1, 5, 9)
    events = [
        {"onset": np.array([3, 20, 21])},
        {"onset": np.array([7])},
        {"onset": np.zeros(0, int)},
    ]
    areas = measure_areas(tested, events, (0, 2), num_shifts=50, seed=3)
    assert list(areas) == ["onset/all/0", "onset/all/2", "onset/active/0", "onset/active/2"]
    for name, area in areas.items():
        _, counted, window = name.split("/")
        masks = [
            clip.active if counted == "active" else np.ones(len(clip.kl), bool) for clip in tested
        ]
        kl = [clip.kl[mask] for clip, mask in zip(tested, masks, strict=True)]
        marked = [
            near_frames(found["onset"], int(window), len(mask))[mask]
            for found, mask in zip(events, masks, strict=True)
        ]
        assert area.auc == pytest.approx(roc_area(np.concatenate(kl), np.concatenate(marked)))
        rng = np.random.default_rng(3)
        shifts = np.stack([rng.integers(len(values), size=50) for values in kl], 1)
        null, within_null = [], []
        for row in shifts:
            rolled = [np.roll(values, shift) for values, shift in zip(kl, row, strict=True)]
            null.append(roc_area(np.concatenate(rolled), np.concatenate(marked)))
            within_null.append(np.mean([roc_area(rolled[i], marked[i]) for i in range(2)]))
        assert area.null_mean == pytest.approx(np.mean(null))
        assert area.null_sd == pytest.approx(np.std(null))
        assert area.reached == np.mean(np.array(null) >= area.auc - 1e-12)
        assert area.by_clip_null_sd == pytest.approx(np.std(within_null))
        within = [roc_area(kl[i], marked[i]) for i in range(2)]
        assert (area.clips, area.events) == (2, 4)
        assert area.by_clip == pytest.approx(np.mean(within))
        assert area.by_clip_se == pytest.approx(np.std(within, ddof=1) / np.sqrt(2))


def test_clips_of_another_level_raise_the_pooled_area_and_not_the_one_by_clip():
    loud, quiet = clips(1, 1)
    loud = replace(loud, kl=loud.kl + 100)
    events = [{"onset": np.arange(0, len(loud.kl), 2)}, {"onset": np.array([3])}]
    area = measure_areas([loud, quiet], events, (0,))["onset/all/0"]
    assert area.auc > 0.7
    assert area.by_clip < 0.65


def test_a_clip_without_labels_does_not_count_for_phones_and_a_kind_that_never_happens_is_absent():
    tested = clips(1, 2)
    areas = measure_areas(tested, [{"phone": np.array([4])}, {"onset": np.array([2])}], (0,))
    assert areas["phone/all/0"].clips == areas["onset/all/0"].clips == 1
    assert areas["phone/all/0"].auc == pytest.approx(
        roc_area(tested[0].kl, near_frames(np.array([4]), 0, len(tested[0].kl)))
    )
    assert measure_areas(tested, [{"phone": np.zeros(0, int)}] * 2, (0,)) == {}


def test_kinds_are_those_that_the_frames_can_have():
    music = music_run().data
    assert kinds_of(RAW, labelled=False) == SOUND_EVENTS
    assert kinds_of(RAW, labelled=True) == {**SOUND_EVENTS, **PHONE_EVENTS}
    assert kinds_of(music, labelled=True) == MUSIC_EVENTS
    assert {**SOUND_EVENTS, **PHONE_EVENTS, **MUSIC_EVENTS} == EVENT_KINDS


def test_transitions_measure_every_kind_that_the_clips_have():
    signals = [wave(), wave()[: len(wave()) // 2]]
    labels = [phones((0, "pau"), (0.1, "a"), (0.2, "s")), None]
    found = measure_transitions(untrained(speech_run()), signals, labels, num_shifts=10)
    assert found.areas["phone/all/0"].clips == 1
    assert found.areas["onset/active/2"].auc == pytest.approx(found.auc)
    chords = measure_transitions(untrained(music_run()), [roll(24), roll(16)], num_shifts=10)
    assert list(chords.areas) == ["chord-change/all/0", "chord-change/active/0"]
    assert chords.areas["chord-change/active/0"].auc == pytest.approx(chords.auc)
