"""Run a Snakemake command under a lock that dies with its process.

Snakemake's own lock outlives a killed run and must then be removed by hand. This one is held by the kernel: if it
is free, no other run of this folder is alive, and a left-over Snakemake lock can be removed safely.
"""

import fcntl
import os
import subprocess
import sys
import time

WAIT_SECONDS = 15  # jobs of a killed driver end themselves within seconds


def main(command: list[str]) -> int:
    handle = os.open(".study.lock", os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                print(
                    "Another run of the study is active in this folder; wait for it, or stop it with Ctrl-C in its terminal.",
                    file=sys.stderr,
                )
                return 75
            time.sleep(0.5)
    os.set_inheritable(handle, True)  # as long as any part of the run lives, the lock is held
    subprocess.run(
        [*command, "--unlock", "--quiet", "all"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
    )
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
