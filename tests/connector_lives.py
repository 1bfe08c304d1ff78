"""The connector, started again each time that it ends, as a supervisor would.

    python -m tests.connector_lives ARGUMENTS

prints the process number of each life. Modules are loaded once: each life is a copy of this
process.
"""

import os
import sys

from twin.live.connectors.server import main

if __name__ == "__main__":
    sys.argv[0] = "twin.live.connectors.server"
    while True:
        number = os.fork()
        if not number:
            main()
            os._exit(0)
        print(number, flush=True)
        os.waitpid(number, 0)
