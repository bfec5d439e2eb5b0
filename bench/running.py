"""A daemon of ours for a measurement."""

import os
import shutil
import tempfile

from harness import Daemon, config


class Running:
    """A daemon that serves, in a folder of its own."""

    def __init__(self, port, **options):
        self.folder = tempfile.mkdtemp(prefix="gracefuld-bench-")
        os.chmod(self.folder, 0o755)
        self.daemon = Daemon(self.folder, config(port, **options))

    def __enter__(self):
        return self.daemon.wait_ready()

    def __exit__(self, *_):
        self.daemon.close()
        shutil.rmtree(self.folder)
