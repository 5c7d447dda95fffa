"""`python -m demo`: starts the page."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported

if __name__ == "__main__":
    from demo.serve import main

    main()
