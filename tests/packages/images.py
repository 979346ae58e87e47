"""Programs in container images, over a base image's layers: what is in the case's directory is below /var/task there, what is in its layer/ below /opt."""
import io, os, tarfile

import ociimages


def tarred(directory, to, leave=()):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        t.add(directory, to, filter=lambda info: None if info.name in leave else info)
    return out.getvalue()


def layout(case, directory, to):
    """An OCI layout of the case's image at `to`."""
    layers = [*ociimages.base(case.runtime), tarred(directory, "var/task", leave=("var/task/layer",))]
    if os.path.isdir(os.path.join(directory, "layer")):
        layers.append(tarred(os.path.join(directory, "layer"), "opt"))
    return ociimages.Image(layers, workdir="/var/task", **case.image).layout(to)
