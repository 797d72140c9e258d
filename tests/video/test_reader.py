"""Every frame of every kind of file comes back by its number, bit by bit as plain decoding gives it."""

from __future__ import annotations

import pickle
import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from muybridge.video import Video
from muybridge.video.packet_index import build_index

COUNT = 40
X264 = {"preset": "fast", "crf": "20", "x264-params": "scenecut=0"}
OPEN = X264 | {"x264-params": "open-gop=1:scenecut=0"}
REFRESH = X264 | {"x264-params": "intra-refresh=1:scenecut=0"}
VP9 = {"deadline": "good", "cpu-used": "5", "lag-in-frames": "16", "auto-alt-ref": "1"}
HEVC = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=12:bframes=3:open-gop=1:scenecut=0"}
UNEVEN = [40 * i + 7 * i * i % 37 for i in range(COUNT)]  # milliseconds

# name of the file -> how it is written
KINDS: dict[str, dict[str, Any]] = {
    "gop1.mp4": {"gop": 1, "options": X264},
    "gop12.mp4": {"gop": 12, "options": X264},
    "gop250.mp4": {"gop": 250, "options": X264},
    "b_frames.mp4": {"b_frames": 3, "options": X264},
    "b_pyramid.mp4": {"gop": 250, "b_frames": 7, "options": X264 | {"b-pyramid": "normal"}},
    "open_gop.mp4": {"b_frames": 3, "options": OPEN},
    "open_gop.mkv": {"b_frames": 3, "options": OPEN},
    "open_gop.ts": {"b_frames": 3, "options": OPEN},
    "intra_refresh.mp4": {"options": REFRESH},
    "intra_refresh.ts": {"options": REFRESH},
    "variable_rate.mp4": {"b_frames": 2, "options": X264, "ticks": UNEVEN},
    "variable_rate.mkv": {"b_frames": 2, "options": X264, "ticks": UNEVEN},
    "starts_at_5s.mp4": {"b_frames": 2, "options": X264, "shift": 125},
    "starts_at_5s.mkv": {"b_frames": 2, "options": X264, "shift": 125},
    "starts_at_5s.ts": {"b_frames": 2, "options": X264, "shift": 125},
    "fragments.mp4": {"b_frames": 3, "options": X264, "mux": {"movflags": "frag_keyframe+empty_moov"}},
    "interlaced.ts": {"b_frames": 2, "options": X264 | {"x264-params": "tff=1"}},
    "h264.mov": {"b_frames": 3, "options": X264},
    "h264.flv": {"b_frames": 3, "options": X264},
    "h264.avi": {"b_frames": 3, "options": X264},
    "h264_open_gop.avi": {"b_frames": 3, "options": OPEN},
    "mpeg4.avi": {"codec": "mpeg4", "b_frames": 2},
    "mpeg4.mp4": {"codec": "mpeg4", "b_frames": 2},
    "mpeg4_no_b.avi": {"codec": "mpeg4"},
    "mpeg2.ts": {"codec": "mpeg2video", "b_frames": 2},
    "mpeg2.mpg": {"codec": "mpeg2video", "b_frames": 2},
    "hevc.mp4": {"codec": "libx265", "b_frames": 3, "options": HEVC},
    "hevc.mkv": {"codec": "libx265", "b_frames": 3, "options": HEVC},
    "vp9.webm": {"codec": "libvpx-vp9", "gop": 20, "options": VP9},
    "vp8_hidden_frames.webm": {"codec": "libvpx", "gop": 20, "options": VP9},
    "ffv1.mkv": {"codec": "ffv1"},
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "wmv2.wmv": {"codec": "wmv2"},
    "animation.gif": {"codec": "gif", "pixel_format": "rgb8", "fps": 10},
    "odd.mp4": {"size": (63, 47), "pixel_format": "yuv444p", "b_frames": 2, "options": X264},
    "odd.webm": {"size": (63, 47), "codec": "libvpx-vp9", "options": VP9},
    "odd.avi": {"size": (61, 45), "codec": "mpeg4"},
    "quarter_turn.mp4": {"turn": 1, "options": X264},
    "half_turn.mp4": {"turn": 2, "options": X264},
    "three_quarter_turn.mp4": {"turn": 3, "options": X264},
    "wide_pixels.mp4": {"aspect": Fraction(2), "options": X264},
    "one_frame.mp4": {"count": 1, "options": X264},
}
RESHAPED = {"quarter_turn.mp4", "half_turn.mp4", "three_quarter_turn.mp4", "wide_pixels.mp4"}


@pytest.fixture(scope="session")
def film(films: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`film(name)`: the file of that kind, written when first asked for."""
    folder = tmp_path_factory.mktemp("films")

    def write(name: str) -> Path:
        how = {"count": COUNT} | KINDS[name]
        return folder / name if (folder / name).exists() else films.write_film(folder / name, **how)

    return write


@pytest.mark.parametrize("name", KINDS)
def test_every_index_in_any_order(name: str, film: Any, films: Any) -> None:
    path = film(name)
    count = KINDS[name].get("count", COUNT)
    rng = np.random.default_rng(0)
    orders = [np.arange(count), np.arange(count)[::-1], rng.permutation(count), np.arange(0, count, 3)]
    orders += [rng.integers(0, count, size) for size in (1, 1, 1, 1, 2, 2, 5, 9)]
    video = Video(path)
    assert len(video) == count
    assert video.meta.num_frames == count
    # The pickled one has no packets in memory and must seek; the first one has them.
    for reader in (video, pickle.loads(pickle.dumps(video))):
        for numbers in orders:
            assert films.read_numbers(reader.frames(numbers)) == numbers.tolist()
    assert [films.read_number(frame) for frame in video] == list(range(count))


@pytest.mark.parametrize("name", sorted(set(KINDS) - RESHAPED))
def test_same_bits_as_plain_decoding(name: str, film: Any, films: Any) -> None:
    path = film(name)
    expected = films.decode_in_order(path)
    width = expected.shape[3] // 16 * 16  # swscale's planar output lacks the last columns of odd widths
    video = Video(path)
    count = len(expected)
    rng = np.random.default_rng(1)
    for reader in (video, pickle.loads(pickle.dumps(video))):
        for numbers in [np.arange(count), np.arange(1 % count, count, 2), *rng.integers(0, count, (20, 2))]:
            got = reader.frames(numbers).numpy()
            np.testing.assert_array_equal(got[..., :width], expected[numbers][..., :width])


@pytest.mark.parametrize("name", ["b_frames.mp4", "open_gop.mkv", "h264.avi", "vp9.webm", "one_frame.mp4"])
@pytest.mark.parametrize("every", [1, 5, 40])
def test_clips_in_one_pass_equal_single_reads(name: str, every: int, film: Any) -> None:
    video = Video(film(name))
    clips = [list(range(start, start + 16, 2)) for start in range(0, len(video), every)]
    clips += [[39, 0, 0, 20], []]  # not ordered by start, and an empty one
    got = list(video.clips(clips, short_side=24, crop=(1, 2, 20, 24)))
    assert len(got) == len(clips)
    for clip, frames in zip(clips, got, strict=True):
        assert torch.equal(frames, video.frames(clip, short_side=24, crop=(1, 2, 20, 24)))


def test_each_frame_of_overlapping_clips_is_decoded_once(film: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    video = Video(film("gop12.mp4"))
    decoded: list[int] = []
    pictures = video._film.pictures

    def counted(*args: Any, **kwargs: Any) -> Any:
        for number, frame in pictures(*args, **kwargs):
            decoded.append(number)
            yield number, frame

    monkeypatch.setattr(video._film, "pictures", counted)
    for _ in video.clips([list(range(s, s + 16)) for s in range(0, 24, 2)]):
        pass
    assert decoded == list(range(38))


def test_reading_in_between_does_not_disturb_a_pass(film: Any, films: Any) -> None:
    video = Video(film("b_frames.mp4"))
    seen = []
    for frame in video:
        seen.append(films.read_number(frame))
        assert films.read_numbers(video.frames([39 - seen[-1]])) == [39 - seen[-1]]
    assert seen == list(range(COUNT))


def test_out_of_range_numbers_are_clamped(film: Any, films: Any) -> None:
    video = Video(film("gop12.mp4"))
    assert films.read_numbers(video.frames([-5, 3, 3, 40, 1000])) == [0, 3, 3, 39, 39]
    assert films.read_numbers(video.frames(torch.tensor([7, 2]))) == [7, 2]
    assert video.frames([]).shape == (0, 3, 48, 64)
    with pytest.raises(ValueError, match="whole numbers"):
        video.frames(np.array([0.5]))


def test_frames_at_shows_what_a_player_would(film: Any, films: Any) -> None:
    even = Video(film("starts_at_5s.mp4"))
    assert films.read_numbers(even.frames_at([0.0, 0.039, 0.04, 0.1, -3.0, 99.0, 7 / 25])) == [
        0,
        0,
        1,
        2,
        0,
        39,
        7,
    ]
    uneven = Video(film("variable_rate.mp4"))
    for number in (1, 5, 38):
        start, after = UNEVEN[number] / 1000, UNEVEN[number + 1] / 1000
        assert films.read_numbers(uneven.frames_at([start, after - 0.002])) == [number, number]
    with pytest.raises(ValueError, match="finite"):
        even.frames_at([float("nan")])


def test_an_edit_list_hides_frames(films: Any, tmp_path: Path) -> None:
    # Packets 17 frames before time 0 are written to the file, and its edit list tells players to begin at 0.
    mux = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    path = films.write_film(tmp_path / "cut.mp4", COUNT, b_frames=2, options=X264, shift=-17, mux=mux)
    video = Video(path)
    assert len(video) == 23
    assert films.read_numbers(video.frames(range(23))) == list(range(17, 40))
    assert films.read_numbers(video.frames([22, 0, 11])) == [39, 17, 28]
    assert video.times_s[0] == 0


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_meta_counts(suffix: str, film: Any) -> None:
    video = Video(film(f"starts_at_5s.{suffix}"))
    meta = video.meta
    assert (meta.width, meta.height, meta.num_frames) == (64, 48, COUNT)
    assert meta.fps == video.fps == 25
    assert meta.duration_s == pytest.approx(COUNT / 25, abs=0.002)
    assert (meta.codec, meta.rotation, meta.has_audio, meta.variable_frame_rate) == ("h264", 0, False, False)
    np.testing.assert_allclose(
        video.times_s, np.arange(COUNT) / 25, atol=0.0011
    )  # Matroska counts milliseconds


def test_meta_of_uneven_frames(film: Any) -> None:
    video = Video(film("variable_rate.mkv"))
    assert video.meta.variable_frame_rate
    np.testing.assert_allclose(video.times_s, np.array(UNEVEN) / 1000, atol=0.0011)
    assert float(video.fps) == pytest.approx((COUNT - 1) / (UNEVEN[-1] / 1000), rel=1e-3)


def test_meta_of_ntsc_rate(films: Any, tmp_path: Path) -> None:
    path = films.write_film(tmp_path / "ntsc.mkv", 30, fps=Fraction(30000, 1001), options=X264)
    video = Video(path)  # Matroska's milliseconds make every interval 33 or 34
    assert video.fps == Fraction(30000, 1001)
    assert not video.meta.variable_frame_rate


@pytest.mark.parametrize(("turn", "name"), [(1, "quarter_turn"), (2, "half_turn"), (3, "three_quarter_turn")])
def test_rotation_is_applied(turn: int, name: str, film: Any, films: Any) -> None:
    video = Video(film(f"{name}.mp4"))
    assert (video.meta.width, video.meta.height, video.meta.rotation) == (64, 48, 90 * turn)
    upright = films.numbered_picture(9).transpose(2, 0, 1).astype(float)
    frame = video.frames([9])[0].numpy()
    assert np.abs(frame - upright).mean() < 10
    crop = video.frames([9], crop=(5, 7, 30, 40))[0].numpy()
    np.testing.assert_array_equal(crop, frame[:, 5:35, 7:47])


def test_mirrored_display_matrix_is_applied(films: Any, tmp_path: Path) -> None:
    path = films.write_film(tmp_path / "mirror.mp4", 12, options=X264, mirror=True)
    assert films.read_numbers(Video(path).frames(range(12)).flip(-1)) == list(range(12))


def test_wide_pixels_are_made_square(film: Any, films: Any) -> None:
    path = film("wide_pixels.mp4")
    video = Video(path)
    assert (video.meta.width, video.meta.height) == (128, 48)
    assert video.frames([0]).shape == (1, 3, 48, 128)
    assert video.frames([0], short_side=24).shape == (1, 3, 24, 64)
    stored = Video(path, square_pixels=False)
    assert (stored.meta.width, stored.meta.height) == (64, 48)
    assert films.read_numbers(stored.frames([5, 30])) == [5, 30]


@pytest.mark.parametrize(
    ("short_side", "expected"),
    [(None, (47, 63)), (47, (47, 63)), (24, (24, 32)), (94, (94, 126)), (1, (1, 1))],
)
def test_short_side(short_side: int | None, expected: tuple[int, int], film: Any) -> None:
    frames = Video(film("odd.mp4")).frames([0, 1], short_side=short_side)
    assert frames.shape == (2, 3, *expected)
    assert frames.is_contiguous()
    assert frames.dtype == torch.uint8


@pytest.mark.parametrize("width", [50, 56, 58, 63, 64, 71])
def test_every_column_is_written(width: int, films: Any, tmp_path: Path) -> None:
    path = films.write_film(tmp_path / "w.mp4", 2, size=(width, 48), pixel_format="yuv444p", options=X264)
    with av.open(str(path)) as container:
        expected = [f.to_ndarray(format="rgb24").transpose(2, 0, 1) for f in container.decode(video=0)]
    assert np.abs(Video(path).frames([0, 1]).numpy().astype(int) - np.stack(expected)).max() <= 2


def test_resizing_follows_torchvision_within_two_grey_levels(film: Any) -> None:
    from torchvision.transforms.v2.functional import resize

    video = Video(film("prores.mov"))
    for short_side in (24, 31, 96):
        got = video.frames([7], short_side=short_side).float()
        expected = resize(video.frames([7]), list(got.shape[-2:]), antialias=True).float()
        assert (got - expected).abs().mean() < 2


def test_crop_is_a_window_of_the_resized_picture(film: Any) -> None:
    video = Video(film("odd.webm"))
    whole = video.frames([3, 8], short_side=40)
    crop = video.frames([3, 8], short_side=40, crop=(3, 5, 31, 29))
    assert torch.equal(crop, whole[:, :, 3:34, 5:34])
    middle = video.frames([3, 8], crop=33)
    assert torch.equal(middle, video.frames([3, 8])[:, :, 7:40, 15:48])
    for bad in [(0, 0, 48, 63), (-1, 0, 5, 5), (0, 60, 5, 5), (0, 0, 0, 5)]:
        with pytest.raises(
            ValueError, match=r"crop .* does not fit into a picture of 47 rows and 63 columns"
        ):
            video.frames([0], crop=bad)
    with pytest.raises(ValueError, match="short_side is 0"):
        video.frames([0], short_side=0)


# Kr and Kb of ITU-R BT.601-7 (2.5.1) and BT.709-6 (3.2); 6 and 1 are their numbers in ISO/IEC 23091-2
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("matrix", "kr", "kb"), [(None, 0.299, 0.114), (6, 0.299, 0.114), (1, 0.2126, 0.0722)]
)
def test_colour_follows_matrix_and_range(
    matrix: int | None, kr: float, kb: float, full: bool, tmp_path: Path
) -> None:
    luma, blue, red = ((110 - 16) / 219, -8 / 224, 42 / 224) if not full else (110 / 255, -8 / 255, 42 / 255)
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    expected = [255 * r, 255 * (luma - kr * r - kb * b) / (1 - kr - kb), 255 * b]
    path = tmp_path / "colour.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if matrix is not None:
            stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full else 1
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.color_range = 2 if full else 1
        if matrix is not None:
            frame.colorspace = matrix
        for plane, value in zip(frame.planes, (110, 120, 170), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pixel = Video(path).frames([0])[0, :, 20, 20].tolist()
    assert pixel == pytest.approx(expected, abs=2)


def test_audio_is_noticed_and_not_in_the_way(films: Any, tmp_path: Path) -> None:
    path = films.add_sound(films.write_film(tmp_path / "mute.mp4", 30, options=X264), tmp_path / "sound.mp4")
    video = Video(path)
    assert video.meta.has_audio
    assert films.read_numbers(video.frames([29, 4])) == [29, 4]


def test_files_too_large_for_memory_are_sought_in(
    film: Any, films: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muybridge.video.packet_index._KEEP_BYTES", 1000)
    for name in ("open_gop.mp4", "open_gop.ts", "h264.avi", "vp9.webm", "animation.gif"):
        video = Video(film(name))
        assert films.read_numbers(video.frames([33, 2, 17])) == [33, 2, 17]


def test_index_decodes_nothing_where_packets_tell(film: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "muybridge.video.packet_index._order_of_output", lambda *a, **k: pytest.fail("decoded")
    )
    for name in ("open_gop.mp4", "h264.flv", "vp9.webm", "vp8_hidden_frames.webm", "hevc.mkv", "mpeg4.mp4"):
        assert len(Video(film(name))) == COUNT


def test_closing_and_reopening(film: Any, films: Any) -> None:
    with Video(film("gop12.mp4")) as video:
        assert films.read_numbers(video.frames([4])) == [4]
    assert films.read_numbers(video.frames([30])) == [30]
    assert video.source == film("gop12.mp4")
    assert video.name == str(film("gop12.mp4"))
    assert repr(video).endswith("40 frames, 25 fps)")


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_read_in_loader_workers(start: str, film: Any, films: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muybridge.video.packet_index._KEEP_BYTES", 1000)  # so that the file is really read
    video = Video(film("open_gop.mp4"))
    numbers = [5 * n % 40 for n in range(16)]
    loader = torch.utils.data.DataLoader(
        _OneFrameEach(video, numbers), num_workers=2, multiprocessing_context=start
    )
    assert [films.read_number(batch[0]) for batch in loader] == numbers
    assert films.read_numbers(video.frames([7])) == [7]


class _OneFrameEach(torch.utils.data.Dataset[torch.Tensor]):
    def __init__(self, video: Video, numbers: list[int]) -> None:
        self.video, self.numbers = video, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> torch.Tensor:
        return self.video.frames([self.numbers[place]])[0]


@pytest.mark.parametrize("pattern", ["img_{:05d}.png", "{}.png", "frame-{:03d}.jpg"])
def test_folder_of_numbered_images(pattern: str, films: Any, tmp_path: Path) -> None:
    for number in range(12):  # without leading zeros, 10 must come after 9
        picture = av.VideoFrame.from_ndarray(films.numbered_picture(number), format="rgb24").to_image()
        picture.save(tmp_path / pattern.format(number + 1))
    (tmp_path / "notes.txt").write_text("not a frame")
    video = Video(tmp_path, fps=10)
    assert (len(video), video.fps, video.meta.duration_s) == (12, 10, 1.2)
    assert (video.meta.width, video.meta.height) == (64, 48)
    assert films.read_numbers(video.frames([11, 0, 5, 5])) == [11, 0, 5, 5]
    assert films.read_numbers(video.frames([3], short_side=24)) == [3]
    assert [films.read_number(frame) for frame in video] == list(range(12))


def test_folder_with_flow_beside_its_frames(films: Any, tmp_path: Path) -> None:
    for prefix, shift in (("img_", 0), ("flow_x_", 3), ("flow_y_", 7)):
        for number in range(4):
            picture = av.VideoFrame.from_ndarray(films.numbered_picture(number + shift), format="rgb24")
            picture.to_image().save(tmp_path / f"{prefix}{number:05d}.jpg")
    assert films.read_numbers(Video(tmp_path).frames(range(4))) == [0, 1, 2, 3]


def test_tensor_source(films: Any) -> None:
    pictures = np.stack([films.numbered_picture(n) for n in range(10)])
    source = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    video = Video(source, fps=Fraction(24))
    assert (len(video), video.source, video.name, video.fps) == (10, None, "tensor", 24)
    assert torch.equal(video.frames([9, 1]), source[[9, 1]])
    assert torch.equal(torch.stack(list(video)), source)
    (clip,) = video.clips([[2, 4]], crop=(1, 1, 8, 9))
    assert torch.equal(clip, source[[2, 4], :, 1:9, 1:10])
    assert torch.equal(pickle.loads(pickle.dumps(video)).frames([3]), source[[3]])
    odd = torch.randint(0, 256, (3, 3, 35, 53), dtype=torch.uint8)
    assert torch.equal(Video(odd).frames(range(3)), odd)


def test_memory_of_a_pass_does_not_grow_with_the_video(films: Any, tmp_path: Path) -> None:
    video = Video(films.write_film(tmp_path / "long.mp4", 240, gop=24, options=X264))
    peaks = []
    for length in (60, 240):
        clips = [list(range(start, start + 16)) for start in range(0, length - 16, 8)]
        tracemalloc.start()
        for _ in video.clips(clips):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
    assert peaks[1] < 24 * 3 * 48 * 64  # the span of a clip and a little more


@pytest.mark.shared
def test_real_files_equal_plain_decoding(shared: Path, films: Any) -> None:
    for name in ("test.avi", "test_video_structuralize.mp4", "demo_spatiotemporal_det.mp4"):
        path = shared / "clips" / "single" / name
        expected = films.decode_in_order(path)
        video = Video(path, square_pixels=False)
        width = expected.shape[3] // 16 * 16
        assert len(video) == len(expected)
        rng = np.random.default_rng(2)
        for numbers in [np.arange(len(video)), *rng.integers(0, len(video), (12, 3))]:
            got = video.frames(numbers).numpy()
            np.testing.assert_array_equal(got[..., :width], expected[numbers][..., :width])


def test_build_index_is_one_pass_of_the_demuxer(film: Any) -> None:
    path = film("gop12.mp4")
    with av.open(str(path)) as container:
        index, kept = build_index(
            container, container.streams.video[0], path, max_pixels=1 << 20, max_duration_s=60
        )
    assert len(index) == len(kept) == COUNT
    assert sorted(set(index.start.tolist())) == [0, 12, 24, 36]
