"""Exit statuses: what each means, to people and to whatever starts this process again."""

from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
MISCONFIGURED: Final = 78
"""EX_CONFIG of sysexits.h: starting again helps nothing. For systemd: `RestartPreventExitStatus=2 78`."""

SIGNAL: Final = 128
"""Added to the number of the signal that ended a command before it was done."""

WORDS: Final = """\
exit status:
  0    done; also `run` and `push` that were asked to stop
  1    failed; standard error says who, what and how to mend it
  2    the command line is wrong
  78   the configuration cannot be used: starting again would not help
  130  ended by Ctrl-C (143: by SIGTERM) before it was done"""
