"""A picture of `braid monitor` at work, for the documentation: two paths of 60 and 40 Mbit/s between Braid and Linux, an upload, a
download and an upload over plain TCP; the first path is cut.

    monitor_picture.py docs/monitor.svg
"""

import html
import re
import sys
import tempfile

import lab
import test_seeing

CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 12
COLUMNS, ROWS = 80, 24
INK, PAPER, FAINT = "#d0d3da", "#16181d", "#8a8f98"
COLOURS = {31: "#ff6b68", 32: "#5fd787", 33: "#ffd75f"}
EIGHTHS = {block: 8 - i for i, block in enumerate("█▉▊▋▌▍▎▏")}


class Pen:
    def __init__(self):
        self.set([0])

    def set(self, codes):
        for code in codes:
            if code == 0:
                self.colour, self.is_bold, self.is_reverse, self.is_faint = None, False, False, False
            elif code in COLOURS or code == 39:
                self.colour = COLOURS.get(code)
            elif code in (7, 27):
                self.is_reverse = code == 7
            elif code in (1, 2, 22):
                self.is_bold, self.is_faint = code == 1, code == 2

    def ink(self):
        return PAPER if self.is_reverse else self.colour or (FAINT if self.is_faint else INK)


def piece(text, pen, column, row):
    """Words by themselves, so that a font of another width leaves the columns where they are."""
    y = MARGIN + row * CELL_HEIGHT
    for word in re.finditer(r"\S+(?: \S+)*", text):
        x = MARGIN + (column + word.start()) * CELL_WIDTH
        if set(word[0]) <= EIGHTHS.keys():
            width = sum(EIGHTHS[c] for c in word[0]) / 8 * CELL_WIDTH
            yield f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="{CELL_HEIGHT - 6}" fill="{pen.ink()}"/>'
        else:
            weight = ' font-weight="bold"' if pen.is_bold else ""
            yield (f'<text x="{x:.1f}" y="{y + 13.5:.1f}" fill="{pen.ink()}"{weight} '
                   f'textLength="{len(word[0]) * CELL_WIDTH:.1f}">{html.escape(word[0])}</text>')


def to_svg(screen):
    """`screen`: as `tmux capture-pane -e` has it."""
    width, height = COLUMNS * CELL_WIDTH + 2 * MARGIN, ROWS * CELL_HEIGHT + 2 * MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" role="img" aria-label="braid monitor">',
           "<title>braid monitor while a path is silent</title>", f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
           '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">']
    for row, line in enumerate(screen.split("\n")[:ROWS]):
        pen, column = Pen(), 0
        for part in re.split(r"(\x1b\[[0-9;]*m)", line):
            if part.startswith("\x1b"):
                pen.set([int(code or 0) for code in part[2:-1].split(";")])
                continue
            if part and pen.is_reverse:
                out.append(f'<rect x="{MARGIN + column * CELL_WIDTH:.1f}" y="{MARGIN + row * CELL_HEIGHT}" '
                           f'width="{(COLUMNS - column) * CELL_WIDTH:.1f}" height="{CELL_HEIGHT}" fill="{INK}"/>')
            out += piece(part, pen, column, row)
            column += len(part)
    return "\n".join(out) + "\n</g></svg>\n"


def screen():
    with lab.Lab(2, rates=[60, 40], delays=[10, 20]) as net, tempfile.TemporaryDirectory() as directory:
        net.server.use_kernel_mptcp(signal=True)
        daemon = test_seeing.Daemon(net.client, directory)
        for port, words, up, down in ((8080, lab.MPTCPIZE, 1 << 31, 0), (8081, lab.MPTCPIZE, 0, 1 << 31), (8082, [], 1 << 31, 0)):
            server = net.server.start(*words, *lab.PEER, "server", net.server.address(0), port, "--bytes", down)
            server.stdout.readline()
            daemon.start(lab.braid_binary(), "run", "--", *lab.PEER, "client", net.server.address(0), port, "--bytes", up)
        terminal = test_seeing.Terminal(daemon, directory, COLUMNS, ROWS, lab.braid_binary(), "monitor")
        try:
            terminal.wait_for(r"(?s)(0 192.0.2.1.* up .*){3}EVENTS")
            terminal.wait_for(r"192.0.2.1 +\d+\.\dM .*\d\d\.\dM █")
            net.cut(0)
            terminal.wait_for(r"192.0.2.1 +0 +0 .*silent\)")
            return terminal.text("-e")
        finally:
            terminal.close()


if __name__ == "__main__":
    picture = to_svg(screen())
    with open(sys.argv[1], "w") as file:
        file.write(picture)
