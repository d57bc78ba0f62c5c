"""`mgc calibrate`: a network whose identities hold for photographs of people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from mgc_lightning.arguments.types import Folder, Metavar
from mgc_lightning.calibration.settings import CalibrateSettings
from mgc_lightning.commands.progress import progress_bars
from mgc_lightning.errors import MGCError
from mgc_lightning.networks.settings import NetworkFile


def calibrate(
    neutral: Annotated[list[str], Metavar("PHOTO")],
    *,
    others: Annotated[tuple[str, ...], Metavar("PHOTO")] = (),
    output: Folder,
    network: NetworkFile,
    settings: CalibrateSettings,
) -> int:
    """Calibrate a network on photographs of people, without labels or training: minutes, not days.

    Needs the extra `detector`. The calibrated network is what the other commands take as a checkpoint.

    Args:
        neutral: photographs of faces at rest, one person each, as in passports; files, folders, or patterns like
            'people/*.jpg'. Take people like those whom the network will see: at least 20, better 100.
        others: further photographs, with any expression.
        output: folder for network.safetensors, network.onnx, network.json and calibration.json.
        network: a trained network.
        settings: of the fit.
    """
    from mgc_lightning.calibration.run import calibrate as calibrate_network
    from mgc_lightning.calibration.run import write_calibrated
    from mgc_lightning.networks.files import load_network

    if Path(output).is_file():
        raise MGCError(f"`output`: {output} is a file, expected a folder")
    loaded = load_network(network.checkpoint, network.face_model, network.level, network.imports)
    with progress_bars() as show:
        calibrated, report = calibrate_network(loaded, neutral, others, settings, on_step=show)
    for path, reason in report.skipped:
        print(f"not used: {path}: {reason}", file=sys.stderr)
    print(report)
    print("\n".join(map(str, write_calibrated(calibrated, report, output))))
    return 0
