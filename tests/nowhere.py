"""For programs that shall be able to fetch nothing, on any machine."""

NOWHERE = {
    "BLIKK_MODELS": "",
    "https_proxy": "http://127.0.0.1:9",  # nobody is there
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "",
    "PIP_CONFIG_FILE": "/dev/null",
}
"""Variables of such a program; its cache folder has to be one of its own as well."""
