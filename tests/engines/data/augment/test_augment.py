# SPDX-License-Identifier: Apache-2.0
"""Every augmentation: form kept, seeded, nothing at zero strength, and what each promises."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.config import StreamConfig
from sensebind.preprocess.grey_frames import grey_pixels
from sensebind.preprocess.pictures import decode_frame
from sensebind.specs import EncoderSpec, LogMelSpec, TensorSpec, WindowSpec
from sensebind.types import Frame, Modality, Window
from sensebind_engines.data.augment import Augmentation, augment_features, augment_window
from sensebind_engines.data.augment.audio import augment_audio
from sensebind_engines.data.augment.config import (
    AudioAugment,
    DepthAugment,
    ImuAugment,
    SpatialAugment,
    ThermalAugment,
    VisionAugment,
)
from sensebind_engines.data.augment.imu import augment_imu, draw_rotation
from sensebind_engines.data.augment.ranges import augment_depth, augment_thermal
from sensebind_engines.data.augment.spatial import View, draw_view, seen
from sensebind_engines.data.augment.vision import augment_picture
from tests.support import datasets

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING = np.empty(0, np.int64)
SECOND_NS = 1_000_000_000
STRONG = Augmentation(
    spatial=SpatialAugment(smallest_area=0.3, flip=0.5),
    vision=VisionAugment(operations=2, magnitude=0.9, geometric=True, grey=0.2),
    audio=AudioAugment(
        gain_db=12, slow=0.2, fast=0.2, colour_db=9, reverb=1, reverb_s=1.5, mix=1,
        noise_db=-10, time_masks=2, time_mask_s=0.3, band_masks=2, band_mask_bins=20,
    ),
    depth=DepthAugment(noise=0.01, scale=0.05, holes=3, dropout=0.1),
    thermal=ThermalAugment(noise=0.02, columns=0.02, offset=0.1),
    imu=ImuAugment(
        tilt_rad=0.2, turn_rad=4, mirror=0.5, scale=0.02, accel_bias_m_s2=0.1,
        gyro_bias_rad_s=0.01, accel_noise_m_s2=0.1, gyro_noise_rad_s=0.01, time_warp=0.5,
    ),
)  # fmt: skip
seeds = st.integers(0, 2**32)


def imu_window(count: int = 120) -> Window:
    stamps_ns = np.arange(count) * 10_000_000 + 5_000_000 - 100_000_000
    end_ns = SECOND_NS
    return Window("/imu", end_ns, 0, end_ns, 0, 1.0, stamps_ns, datasets.imu_rows(count))


def audio_window(seed: int = 0) -> Window:
    values = 0.1 * np.random.default_rng(seed).standard_normal((32_000, 1)).astype(np.float32)
    return Window("m", 0, 0, 2 * SECOND_NS, 0, 1.0, NOTHING, values, segment=3)


def raw(pixels: NDArray[Any], encoding: str) -> Frame:
    height, width = pixels.shape[:2]
    return Frame(pixels.tobytes(), encoding, width, height, pixels.nbytes // height)


def frame_window(modality: Modality, count: int = 1) -> Window:
    if modality is Modality.DEPTH:
        frames = [raw(datasets.depth_mm(i), "16UC1") for i in range(count)]
    elif modality is Modality.THERMAL:
        frames = [raw(np.asarray(datasets.picture(i).convert("L")), "mono8") for i in range(count)]
    else:
        frames = [raw(np.asarray(datasets.picture(i)), "rgb8") for i in range(count)]
    return Window("c", 0, 0, 0, 0, 1.0, NOTHING, np.empty((0, 0)), tuple(frames))


def window_of(modality: Modality) -> Window:
    if modality is Modality.IMU:
        return imu_window()
    return audio_window() if modality is Modality.AUDIO else frame_window(modality)


SENSES = [modality for modality in Modality if modality is not Modality.TEXT]


@pytest.mark.parametrize("modality", SENSES)
@given(seed=seeds)
def test_a_change_keeps_the_form_and_depends_on_the_seed(modality: Modality, seed: int) -> None:
    window, config = window_of(modality), StreamConfig(modality=modality)
    view = draw_view(STRONG.spatial, np.random.default_rng(seed))

    def changed(number: int) -> Window:
        rng = np.random.default_rng(number)
        return augment_window(window, config, STRONG, rng, view=view, other=audio_window(9))

    one, same = changed(seed), changed(seed)
    assert (one.values.dtype, one.values.shape) == (window.values.dtype, window.values.shape)
    assert (one.start_ns, one.end_ns) == (window.start_ns, window.end_ns)
    assert len(one.frames) == len(window.frames)
    assert content(one) == content(same)
    # Few operations on pictures: two seeds may draw the same ones.
    assert len({content(changed(seed + more)) for more in range(6)}) > 1
    assert content(window) == content(window_of(modality))  # what was given is as it was


def content(window: Window) -> tuple[bytes, ...]:
    frames = [bytes(frame.data) for frame in window.frames]
    return (window.values.tobytes(), window.stamps_ns.tobytes(), *frames)


@pytest.mark.parametrize("modality", SENSES)
def test_no_strength_is_no_change(modality: Modality) -> None:
    window, rng = window_of(modality), np.random.default_rng(0)
    view = draw_view(SpatialAugment(), rng)
    same = augment_window(
        window, StreamConfig(modality=modality), Augmentation(), rng, view=view, other=window
    )
    assert same is window


@given(seed=seeds)
def test_zero_strength_gives_the_same_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert np.array_equal(augment_imu(imu_window(), ImuAugment(), rng).values, imu_window().values)
    sound = augment_audio(audio_window(), AudioAugment(), rng, audio_window(1))
    assert np.array_equal(sound.values, audio_window().values)
    picture = np.asarray(datasets.picture(0))
    plain = augment_picture(picture, VisionAugment(operations=4), rng, aligned=False)
    # Bits and thresholds at magnitude 0, and blends of nothing, change no pixel.
    assert np.array_equal(plain, picture)
    depth = datasets.depth_mm(0)
    assert np.array_equal(augment_depth(depth, 0.001, DepthAugment(), rng), depth)
    warm = np.asarray(datasets.picture(0).convert("L"))
    assert np.array_equal(augment_thermal(warm, ThermalAugment(), rng), warm)


@given(seed=seeds, tilt=st.floats(0, 3), turn=st.floats(0, 4))
def test_rotations_are_proper(seed: int, tilt: float, turn: float) -> None:
    matrix = draw_rotation(ImuAugment(tilt_rad=tilt, turn_rad=turn), np.random.default_rng(seed))
    assert np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert math.isclose(np.linalg.det(matrix), 1.0, abs_tol=1e-12)


@given(seed=seeds)
def test_a_turn_keeps_gravity_upright_and_a_tilt_does_not(seed: int) -> None:
    window = imu_window()
    turned = augment_imu(window, ImuAugment(turn_rad=4.0), np.random.default_rng(seed)).values
    assert np.allclose(turned[:, [2, 5]], window.values[:, [2, 5]])
    tilted = augment_imu(window, ImuAugment(tilt_rad=0.3), np.random.default_rng(seed)).values
    for triad in (slice(0, 3), slice(3, 6)):
        before, after = window.values[:, triad], tilted[:, triad]
        assert np.allclose(np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1))
    # One matrix turns both: it is recovered from either triad.
    triads = (slice(0, 3), slice(3, 6))
    of_force, of_rate = (
        np.linalg.lstsq(window.values[:, t], tilted[:, t], rcond=None)[0] for t in triads
    )
    assert np.allclose(of_force, of_rate, atol=1e-9)
    assert not np.array_equal(of_force, np.eye(3))


def test_a_turn_is_about_the_body_axes_whatever_the_sensors() -> None:
    frd = (1.0, 0, 0, 0, -1.0, 0, 0, 0, -1.0)
    window = imu_window()
    changed = augment_imu(window, ImuAugment(mirror=1.0), np.random.default_rng(0), frd)
    body = window.values * [1, -1, -1, 1, -1, -1]
    mirrored = body * [1, -1, 1, -1, 1, -1]
    assert np.allclose(changed.values * [1, -1, -1, 1, -1, -1], mirrored)


@given(seed=seeds, warp=st.floats(0.01, 0.99))
def test_warped_time_rises_and_keeps_its_ends(seed: int, warp: float) -> None:
    window = imu_window()
    warped = augment_imu(window, ImuAugment(time_warp=warp), np.random.default_rng(seed))
    stamps_ns = warped.stamps_ns
    assert stamps_ns.dtype == np.int64
    assert (np.diff(stamps_ns) > 0).all()
    outside = (window.stamps_ns <= 0) | (window.stamps_ns >= SECOND_NS)
    assert np.array_equal(stamps_ns[outside], window.stamps_ns[outside])
    assert np.abs(stamps_ns - window.stamps_ns).max() <= warp * SECOND_NS / math.pi + 1


def test_levels_of_sound() -> None:
    window = audio_window()

    def rms_db(values: NDArray[Any]) -> float:
        return float(20 * np.log10(np.sqrt(np.mean(np.square(values, dtype=float)))))

    for seed in range(20):
        rng = np.random.default_rng(seed)
        louder = augment_audio(window, AudioAugment(gain_db=6), rng, None)
        assert abs(rms_db(louder.values) - rms_db(window.values)) <= 6.01
        mixed = augment_audio(window, AudioAugment(mix=1, mix_db=-6), rng, audio_window(5))
        added = rms_db(mixed.values - window.values) - rms_db(window.values)
        assert -26.1 <= added <= -5.9
        assert mixed.segment == -1
        alone = augment_audio(window, AudioAugment(mix=1), rng, None)
        assert np.array_equal(alone.values, window.values)


def tone(hertz: float) -> Window:
    times_s = np.arange(32_000) / 16_000
    values = np.sin(2 * np.pi * hertz * times_s).astype(np.float32)[:, np.newaxis]
    return replace(audio_window(), values=values)


def loudest_hz(window: Window) -> float:
    return float(np.abs(np.fft.rfft(window.values[:, 0])).argmax() / 2)


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_slowed_sounds_are_lower(seed: int) -> None:
    slowed = augment_audio(tone(1000), AudioAugment(slow=0.2), np.random.default_rng(seed), None)
    assert slowed.values.shape == (32_000, 1)
    assert 799 <= loudest_hz(slowed) <= 1000.5


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_hastened_sounds_are_higher_and_last_as_long(seed: int) -> None:
    window = tone(1000)
    fast = augment_audio(window, AudioAugment(fast=0.2), np.random.default_rng(seed), None)
    assert fast.values.shape == (32_000, 1)
    assert 999.5 <= loudest_hz(fast) <= 1201
    assert np.sqrt(np.mean(np.square(fast.values[-4_000:]))) == pytest.approx(0.5**0.5, rel=0.05)


def test_what_a_hastened_window_lacks_is_its_mirror_image() -> None:
    rising = replace(audio_window(), values=np.linspace(0, 1, 32_000, dtype=np.float32)[:, None])
    for seed in range(10):
        rng = np.random.default_rng(seed)
        values = augment_audio(rising, AudioAugment(fast=0.5), rng, None).values[:, 0]
        top = int(values.argmax())
        speed = 32_000 / (top + 0.5)
        places = np.arange(32_000) * speed / 31_999
        assert values == pytest.approx(np.minimum(places, 2 - places), abs=2e-4)


def test_a_microphone_changes_tones_by_no_more_than_its_gain_and_not_all_alike() -> None:
    gains = []
    for seed in range(10):
        for hertz in (200.0, 1000.0, 5000.0):
            window, rng = tone(hertz), np.random.default_rng(seed)
            heard = augment_audio(window, AudioAugment(colour_db=6), rng, None).values
            assert loudest_hz(replace(window, values=heard)) == hertz
            gains.append(20 * np.log10(np.std(heard) / np.std(window.values)))
    by_seed = np.array(gains).reshape(10, 3)
    assert np.abs(by_seed).max() <= 6.01
    assert np.ptp(by_seed, axis=1).min() > 0.1
    assert np.ptp(by_seed, axis=0).min() > 3


def test_a_room_answers_after_the_sound_and_keeps_the_level() -> None:
    values = np.zeros((32_000, 1), np.float32)
    values[8_000] = 1.0
    click = replace(audio_window(), values=values)
    amount = AudioAugment(reverb=1, reverb_s=0.4)
    for seed in range(10):
        heard = augment_audio(click, amount, np.random.default_rng(seed), None).values[:, 0]
        assert np.abs(heard[:7_990]).max() < 1e-6
        assert np.linalg.norm(heard) == pytest.approx(1.0, rel=1e-5)
        # At most a reverberation time later it is 60 dB quieter; beyond there is nothing.
        assert np.abs(heard[8_000 + 6_410 :]).max() < 1e-6
        early, late = (np.linalg.norm(heard[at : at + 500]) for at in (8_001, 9_400))
        assert 0 < late < early


def test_masks_leave_the_rest_as_it_was() -> None:
    features = np.random.default_rng(0).normal(2, 1, (1, 128, 204)).astype(np.float32)
    spec = EncoderSpec(
        onnx="a.onnx",
        inputs=(TensorSpec(name="f", dtype="float32", shape=("batch", 1, 128, 204)),),
        output=TensorSpec(name="e", dtype="float32", shape=("batch", 4)),
        preprocess=LogMelSpec(),
        window=WindowSpec(length_s=2, hop_s=0.5),
    )
    amount = Augmentation(
        audio=AudioAugment(time_masks=1, time_mask_s=0.2, band_masks=1, band_mask_bins=9)
    )
    widths = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        (masked,) = augment_features({"f": features}, spec, amount, rng).values()
        changed = masked != features
        assert (masked[changed] == 0).all()
        frames, bins = changed[0].all(axis=0), changed[0].all(axis=1)
        assert np.array_equal(changed[0], frames[np.newaxis] | bins[:, np.newaxis])
        assert frames.sum() <= 20
        assert bins.sum() <= 9
        widths.add(int(frames.sum()))
    assert {0, 20} <= widths
    plain = {"f": features}
    assert augment_features(plain, spec, Augmentation(), np.random.default_rng(0)) is plain


@given(seed=seeds)
def test_all_frames_of_an_item_show_the_same_view(seed: int) -> None:
    """Frames of other resolutions are cropped to the same shares of the view."""
    view = draw_view(SpatialAugment(smallest_area=0.2, flip=0.5), np.random.default_rng(seed))
    parts = {}
    for width in (64, 256):
        height = width * 3 // 4
        columns = np.linspace(0, 1, width)[np.newaxis].repeat(height, 0)
        part = seen(columns, view)
        assert part.shape[0] / part.shape[1] == pytest.approx(0.75, rel=0.15)
        parts[width] = part[0, [0, -1]]
    assert np.allclose(parts[64], parts[256], atol=1.5 / 64)
    assert 0.2 - 0.02 <= view.side**2 <= 1
    assert (parts[64][0] > parts[64][1]) == view.flipped


def test_views_are_of_every_size() -> None:
    rng = np.random.default_rng(0)
    views = [draw_view(SpatialAugment(smallest_area=0.25, flip=0.3), rng) for _ in range(400)]
    areas = np.array([view.side**2 for view in views])
    assert areas.min() < 0.3
    assert areas.max() > 0.95
    assert 0.2 < np.mean([view.flipped for view in views]) < 0.4
    assert all(0 <= v.left <= 1 - v.side and 0 <= v.top <= 1 - v.side for v in views)
    assert seen(np.zeros((1, 1)), View(0.5, 0.5, 0.4)).shape == (1, 1)


@given(seed=seeds)
def test_depth_changes_only_what_was_measured(seed: int) -> None:
    depth = datasets.depth_mm(3)
    rng = np.random.default_rng(seed)
    changed = augment_depth(depth, 0.001, STRONG.depth, rng)
    assert (changed.dtype, changed.shape) == (depth.dtype, depth.shape)
    assert (changed[depth == 0] == 0).all()
    assert ((changed == 0) & (depth > 0)).any()
    metres = np.where(depth == 0, np.nan, depth / 1000).astype(np.float32)
    changed = augment_depth(metres, 1.0, DepthAugment(noise=0.01), rng)
    assert changed.dtype == np.float32
    assert np.array_equal(np.isnan(changed), np.isnan(metres))


def test_depth_noise_grows_with_the_square_of_the_distance() -> None:
    near, far = np.full((200, 200), 1.0, np.float32), np.full((200, 200), 4.0, np.float32)
    rng = np.random.default_rng(0)
    spread = [augment_depth(d, 1.0, DepthAugment(noise=0.01), rng).std() for d in (near, far)]
    assert spread[0] == pytest.approx(0.01, rel=0.05)
    assert spread[1] == pytest.approx(0.16, rel=0.05)


def test_thermal_noise_is_a_share_of_the_range_and_leaves_what_is_invalid() -> None:
    warm = np.linspace(280, 300, 40_000, dtype=np.float32).reshape(200, 200)
    warm[0, 0] = np.nan
    rng = np.random.default_rng(0)
    changed = augment_thermal(warm, ThermalAugment(noise=0.05), rng)
    assert np.array_equal(np.isnan(changed), np.isnan(warm))
    assert np.nanstd(changed - warm) == pytest.approx(1.0, rel=0.05)
    striped = augment_thermal(warm, ThermalAugment(columns=0.05), rng) - warm
    assert np.nanstd(striped, axis=0).max() < 1e-4
    counts = np.full((3, 4), 7, np.uint8)
    assert augment_thermal(counts, STRONG.thermal, rng).dtype == np.uint8


def test_a_wrong_encoding_is_mended_before_the_change() -> None:
    picture = np.asarray(datasets.picture(0))
    frame = raw(np.ascontiguousarray(picture[..., ::-1]), "rgb8")
    window = Window("c", 0, 0, 0, 0, 1.0, NOTHING, np.empty((0, 0)), (frame,))
    config = StreamConfig(modality=Modality.VISION, format="bgr8")
    rng = np.random.default_rng(0)
    view = View(0.0, 0.0, 1.0, flipped=True)
    (changed,) = augment_window(window, config, Augmentation(), rng, view=view).frames
    assert np.array_equal(np.asarray(decode_frame(changed)), picture[:, ::-1])


def test_thermal_pictures_in_colour_are_grey() -> None:
    frame = raw(np.asarray(datasets.picture(0)), "rgb8")
    window = Window("c", 0, 0, 0, 0, 1.0, NOTHING, np.empty((0, 0)), (frame,))
    config, rng = StreamConfig(modality=Modality.THERMAL), np.random.default_rng(0)
    (changed,) = augment_window(window, config, Augmentation(), rng, view=View(flipped=True)).frames
    grey = np.asarray(datasets.picture(0).convert("L"))
    assert np.array_equal(grey_pixels(changed), grey[:, ::-1])


def test_geometric_changes_are_left_out_where_frames_must_agree() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[10:30, 20:40] = 200
    amount = VisionAugment(operations=3, magnitude=1.0, geometric=True)
    edges = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        aligned = augment_picture(picture, amount, rng, aligned=True)
        flat = len(np.unique(aligned[12:28, 22:38].reshape(-1, 3), axis=0))
        edges.add(flat)
    assert edges == {1}
    rng = np.random.default_rng(1)
    free = [augment_picture(picture, amount, rng, aligned=False) for _ in range(20)]
    assert any(len(np.unique(f[12:28, 22:38].reshape(-1, 3), axis=0)) > 1 for f in free)


def test_compressed_frames_are_changed_as_their_pixels(tmp_path: Any) -> None:
    datasets.files(tmp_path, 0)
    for name, modality, encoding in (
        ("item0.jpg", Modality.VISION, "rgb8"),
        ("item0-depth.png", Modality.DEPTH, "16UC1"),
        ("item0-thermal.png", Modality.THERMAL, "mono8"),
    ):
        content_ = (tmp_path / name).read_bytes()
        layout = "jpeg" if name.endswith("jpg") else "png"
        frame = Frame(content_, layout, scale=0.5, focal_px=60.0)
        window = Window("c", 0, 0, 0, 0, 1.0, NOTHING, np.empty((0, 0)), (frame, frame))
        changed = augment_window(
            window,
            StreamConfig(modality=modality),
            Augmentation(),
            np.random.default_rng(0),
            view=View(0.25, 0.25, 0.5, flipped=True),
        ).frames
        assert [frame.encoding for frame in changed] == [encoding] * 2
        assert (changed[0].scale, changed[0].focal_px) == (0.5, 60.0)
        decode = (
            grey_pixels
            if modality is not Modality.VISION
            else lambda f: np.asarray(decode_frame(f))
        )
        assert np.array_equal(decode(changed[0]), decode(frame)[12:36, 16:48][:, ::-1])
