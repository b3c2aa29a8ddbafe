"""Pictures of a training run, one after the other, as an animated GIF."""

import io
import re
from pathlib import Path

from PIL import Image

PLAY_MS = 6000  # all frames but the last
HOLD_MS = 2500  # the last one, which is what the run came to
_MAX_WIDTH = 900  # pixels
_SAMPLED = 8  # frames that the palette is made from
_COLORS = 128  # soft colours and smooth letters; twice as many make the file half as large again


def frames_in(folder: Path) -> list[Path]:
    """List the frames `epoch_<number>.png` of a folder, in the order of their epochs."""
    numbered = [(re.fullmatch(r"epoch_(\d+)\.png", path.name), path) for path in folder.glob("epoch_*.png")]
    return [path for _, path in sorted((int(found[1]), path) for found, path in numbered if found)]


def animate(folder: Path) -> bytes:
    """Make a GIF that repeats for ever of the frames in a folder.

    All frames take about 6 seconds together, no one less than 60 ms nor more than 600 ms, and the last stays for 2.5 s.

    Args:
        folder: Holds `epoch_000100.png` and so on, all of the same size.

    Returns:
        The file's content. Frames wider than 900 pixels are made smaller.

    Raises:
        ValueError: If there is no frame, or the sizes differ.
    """
    files = frames_in(folder)
    if not files:
        raise ValueError(f"{folder} holds no frames epoch_<number>.png")
    frames = [_read(path) for path in files]
    for path, frame in zip(files, frames, strict=True):
        if frame.size != frames[0].size:
            raise ValueError(
                f"{path} is {frame.size} pixels large, {files[0].name} {frames[0].size}; all must be alike"
            )
    # One palette for all, from some: with palettes of their own, still parts would flicker.
    some = [*frames[:: -(-len(frames) // _SAMPLED)], frames[-1]]
    sheet = Image.new("RGB", (frames[0].width, len(some) * frames[0].height))
    for i, frame in enumerate(some):
        sheet.paste(frame, (0, i * frame.height))
    palette = sheet.quantize(_COLORS, method=Image.Quantize.MEDIANCUT)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    each = min(600, max(60, PLAY_MS // len(drawn) // 10 * 10))  # a GIF counts in hundredths of a second
    file = io.BytesIO()
    drawn[0].save(
        file, format="gif", save_all=True, append_images=drawn[1:], loop=0,
        duration=[*[each] * (len(drawn) - 1), HOLD_MS],
    )  # fmt: skip
    return file.getvalue()


def _read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        frame = image.convert("RGB")
    if frame.width <= _MAX_WIDTH:
        return frame
    return frame.resize((_MAX_WIDTH, round(frame.height * _MAX_WIDTH / frame.width)), Image.Resampling.LANCZOS)
