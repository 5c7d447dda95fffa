"""How the page calls what core calls otherwise: options as its own fields."""

import re
from pathlib import Path

_FLAGS = (  # what the command line advises, and what it is on the page
    (r"; --(?:text|label|group|split)-column names (?:another|others)", "; change it below"),
    (r"--label-column names one", "choose one below"),
    (r" with --text-column or --label-column", " below"),
    (r" with --label-column (?:NAME|OTHER)=.*$", " below"),
    (r" with --(?:text|label|group|split)-column", " below"),
    (r", which --[a-z-]+ names", ""),
    (r"rename one with --map .*$", "rename one under Columns"),
    (r"join labels with --map", "rename labels, so that there are fewer"),
    (r"--map renames", "the renamings rename"),
    (r"--map (?=')", "the renaming "),
    (r"--map is", "the renaming is"),
)


def as_page_says(message: str, source: str) -> str:
    """Write the command line's words as the page's: the file's name alone, fields for flags."""
    message = message.replace(source, f"“{Path(source).name}”")
    for flag, words in _FLAGS:
        message = re.sub(flag, words, message)
    return message


def as_script_says(message: str, source: str) -> str:
    """Write the command line's words for who calls `/check`: arguments for flags."""
    message = message.replace(source, f"“{Path(source).name}”")
    message = re.sub(r"--label-column\b", "label_columns", message).replace("--task", "tasks")
    message = re.sub(r"--(text|split|group)-column\b", r"\1_column", message)
    return message.replace("--map", "renames").replace("--rows", "rows")
