"""What tests of images on the command line share: files of one page, and the command in this process."""

from click.testing import CliRunner
from sigconv_cli.main import cli

from sigconv.io.images import About, Picture, read, write


def command(*args, data=b""):
    """Output, notes and exit code of the command in this process."""
    result = CliRunner().invoke(cli, [str(arg) for arg in args], input=data)
    return result.stdout_bytes, result.stderr, result.exit_code


def saved(path, page, color="gray", kind="png", alpha=False, **about):
    """A file that holds a page."""
    write(Picture([page], kind, color, alpha, page.dtype.itemsize * 8, False, About(**about)), path)
    return path


def after(path, *args, name="image"):
    """The picture that comes of a file."""
    target = path.with_name("after-" + path.name)
    assert command(name, path, "-o", target, "-y", "-q", *args) == (b"", "", 0)
    return read(target)
