"""The page: a Gradio app over `core`, one folder a tab."""
