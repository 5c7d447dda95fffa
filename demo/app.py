"""The file that a Space runs: it starts the page."""

import os
import sys
from pathlib import Path

# Run as a file, it has demo/ on the path, and not the project.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

if __name__ == "__main__":  # worker processes import this file again, and must not build the page
    from demo.serve import main

    main()
