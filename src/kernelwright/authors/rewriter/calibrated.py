"""The cost model's machine, as this device was measured."""

import logging

from kernelwright import platforms
from kernelwright.authors.rewriter.cost import MACHINES, Machine, machine_of

_log = logging.getLogger(__name__)


def machine_for(platform: str) -> Machine:
    """The balance of the platform's device: measured where it is here, else round figures for one of its kind.

    The limits that are stored for the device are taken as they are; where there are none, it is measured for a few
    seconds. Authors that compute are asked while nothing is timed, so that disturbs nobody.
    """
    default = MACHINES.get(platform, MACHINES["cpu"])
    try:
        device = platforms.get(platform)
        return machine_of(device.limits(), platform) if device.available() else default
    except (LookupError, OSError, RuntimeError) as error:
        _log.info("no limits of %s, going by round figures: %s", platform, error)
        return default
