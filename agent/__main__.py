"""`python -m agent` is `campus-agent`."""

import sys

from agent.cli.main import main

sys.exit(main())
