"""NVIDIA DGX-1V: 8 V100 in the hybrid cube mesh.

Wiring: the NVLinks of a DGX-1V as NCCL prints them, github.com/NVIDIA/nccl issue 671, and
nvidia-smi matrices that agree. The rows of GPUs 0 to 2 are as read; the others follow from six
links to a GPU and the mirror i -> i + 4. The graph is that of Microsoft's SCCL (dgx1) under other
numbers, and the double links form one cycle through all 8 GPUs.
"""

from __future__ import annotations

from topology.supernode import Builder, Supernode
from topology.systems.board import add_npus, connect_listed, wiring_of
from topology.systems.catalogue import build_row, system_builder

_WIRING = wiring_of(
    "0-1:1 0-2:1 0-3:2 0-4:2 1-2:2 1-3:1 1-5:2 2-3:2 2-6:1 3-7:1 "
    "4-5:1 4-6:1 4-7:2 5-6:2 5-7:1 6-7:2"
)
_SOURCES = (
    "NCCL topology dump, github.com/NVIDIA/nccl issue 671: links of GPUs 0 to 2",
    "links of GPUs 3 to 7: derived, six links each and the mirror of the two halves",
)


@system_builder("dgx-1v")
def dgx_1v(*, relay: bool = True) -> Supernode:
    r"""Return the node.

    ::

        0===3---7===4          === two links, --- one, of 25 GB/s each; each half is a
        |\ /|   |\ /|          full mesh of 4. Also double: 3-2, 7-6, and the long
        | X |   | X |          ones 0-4 and 1-5, so that
        |/ \|   |/ \|          0=3=2=1=5=6=7=4=0 is a cycle of double links
        1===2---6===5          8 GPUs, 16 pairs, 24 links, 150 GB/s to a GPU

    Parameters
    ----------
    relay
        Whether a GPU passes on what others send to a GPU they have no link to. No hardware
        does; NCCL does it in software (its NVB paths). Without it there is no way between such
        GPUs, since the PCIe tree is not part of the graph.
    """
    builder = Builder()
    gpus = add_npus(builder, 8, "v100", forwards=relay)
    connect_listed(builder, gpus, _WIRING, "nvlink2", 8)
    return build_row(builder, "dgx-1v", gpus, sources=_SOURCES, parameters={"relay": relay})
