"""Man pages from `braid --help` and `braid COMMAND --help`: what people read is written once, in the program.
    man.py BRAID DIRECTORY"""

import re
import subprocess
import sys

RESOLVED = {"--help": "Print the help"}


def help_of(braid, *words):
    return subprocess.run([braid, *words, "--help"], capture_output=True, text=True, check=True).stdout


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in ".'" else line for line in text.split("\n"))


def page(braid, words):
    text = help_of(braid, *words)
    lines = text.rstrip().split("\n")
    summary = lines[0].strip()
    name = "-".join(["braid", *words])
    out = [f'.TH {name.upper()} 1 "" "Braid" "User Commands"', ".SH NAME", f"{escape(name)} \\- {escape(summary.rstrip('.'))}"]
    section = None
    for line in lines[1:]:
        usage = re.match(r"Usage: (.*)", line)
        heading = re.match(r"([A-Z][A-Za-z ]*):$", line)
        if usage:
            out += [".SH SYNOPSIS", ".B " + escape(re.sub(r"^\S*braid", "braid", usage.group(1)))]
            section = "usage"
        elif heading:
            section = heading.group(1).upper()
            out += [f'.SH "{escape(section)}"', ".nf"]
        else:
            if section in ("usage", None) and line.strip():
                out += [".SH DESCRIPTION", ".nf"]
                section = "DESCRIPTION"
            out.append(escape(line))
    closed = []
    for line in out:
        if line.startswith(".SH") and closed and ".nf" in closed and closed[-1] != ".fi":
            closed.append(".fi")
        closed.append(line)
    seen = " ".join(f".BR {other} (1)," for other in ())
    more = ["braid(1)"] if words else []
    closed += [".fi", '.SH "SEE ALSO"', escape(", ".join(more + ["/usr/share/doc/braid"])) + seen]
    return name, "\n".join(line for line in closed) + "\n"


def subcommands(text):
    inside, names = False, []
    for line in text.split("\n"):
        if line == "Subcommands:":
            inside = True
        elif re.match(r"[A-Z]", line):
            inside = False
        elif inside and re.match(r"  [a-z]", line):
            names.append(line.split()[0])
    return names


def main():
    braid, directory = sys.argv[1:]
    for words in [[], *[[name] for name in subcommands(help_of(braid))]]:
        name, text = page(braid, words)
        with open(f"{directory}/{name}.1", "w") as file:
            file.write(text)


if __name__ == "__main__":
    main()
