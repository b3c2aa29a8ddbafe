"""The table of groups as LaTeX, Markdown and CSV."""

# ruff: noqa: RUF001

import csv
import io
import re
import shutil
from pathlib import Path

import pytest

from src.analysis.paper.letters import in_latex
from src.analysis.paper.methods import methods
from src.analysis.paper.table import Cell, PaperTable, as_csv, in_markdown, latex, markdown, table_of
from src.analysis.records import read_jobs
from src.analysis.summary import Summary, summarise
from src.analysis.words.tables import plain
from tests.analysis.jobs import make_job
from tests.waiting import completed

NASTY = r"""a_b & 50% of $x^2$ #1 {y} ~z \n--w [k] <t> | *m* `c` ± é "q" """.strip()


def summary(sweep_dir: Path, *, metric: str | None = None) -> Summary:
    for seed, (good, bad) in enumerate([(0.99, 0.5), (0.97, 0.52), (0.98, 0.51)]):
        for name, value in (("relu", good), ("identity", bad)):
            make_job(
                sweep_dir / f"{name}{seed}",
                f"model.net.activation={name}",
                f"seed={seed}",
                metrics={"val/loss": 1 - value, "test/accuracy": value, "test/r2": value - 1},
            )
    return summarise(read_jobs([sweep_dir]), [sweep_dir], metric=metric)


def is_balanced(text: str) -> bool:
    bare = re.sub(r"(?<!%)%.*", "", re.sub(r"\\[\\{}%&$#_]", "", text))
    depth = 0
    for char in bare:
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return False
    return depth == 0 and bare.count("$") % 2 == 0 and not set("#^~") & set(bare)


def test_latex_is_a_table_of_booktabs_with_the_best_in_bold(tmp_path: Path) -> None:
    found = summary(tmp_path)
    text = latex(table_of(found), methods=methods(found), label="my sweep_1")
    body = text[text.index(r"\begin{table}") :]
    assert (
        body
        == r"""\begin{table}
  \centering
  \caption{Median over seeds {[}75\% interval{]}. BEST}
  \label{tab:my-sweep-1}
  \begin{tabular}{lrrrr}
    \toprule
    group & seeds & val/loss & test/accuracy, \% & failed, \% \\
    \midrule
    relu & 3 & \textbf{0.020 {[}0.010, 0.030{]}} & \textbf{98.0 {[}97.0, 99.0{]}} & 100 {[}29, 100{]} \\
    identity & 3 & 0.490 {[}0.480, 0.500{]} & 51.0 {[}50.0, 52.0{]} & 100 {[}29, 100{]} \\
    \bottomrule
  \end{tabular}
\end{table}
""".replace("BEST", r"The best of each column is bold. Failed: test/r2 \textless{}= 0, or no number.")
    )
    assert text.startswith("% \\usepackage{booktabs} in the preamble\n% Numbers are medians over 3 seeds per group")
    assert is_balanced(text)


def test_names_stand_for_themselves_in_latex() -> None:
    assert in_latex(NASTY) == (
        r"a\_b \& 50\% of \$x\textasciicircum{}2\$ \#1 \{y\} \textasciitilde{}z \textbackslash{}n-{}-w {[}k{]} "
        r"\textless{}t\textgreater{} \textbar{} *m* {`}c{`} $\pm$ é {''}q{''}"
    )
    assert in_latex("---- '' ,, ?` !`") == "-{}-{}-{}- '{}' ,{}, ?{`} !{`}"
    assert in_latex("µ α Ω Λ ≥ − ⁵ ς a\u0301 «ą»") == (
        r"µ $\alpha$ $\Omega$ $\Lambda$ $\geq$ $-$ $^5$ $\varsigma$ á {\fontencoding{T1}\selectfont «}"
        r"{\fontencoding{T1}\selectfont ą}{\fontencoding{T1}\selectfont »}"
    )
    assert in_latex("中") == r"{\ifdefined\pdftexversion\texttt{U+4E2D}\else 中\fi}"
    assert (
        latex(
            PaperTable(("a", "b"), ((Cell("two\nlines\x00 \\end{table}"), Cell("1")),), ""), methods="", label=""
        ).count(r"two lines \textbackslash{}end\{table\} & 1 \\")
        == 1
    )
    starred = PaperTable(("*", "n"), ((Cell("*a"), Cell("*")), (Cell("*"), Cell("1"))), "")
    assert r"    {*}a & * \\" in latex(starred, methods="", label="")
    assert r"    {*} & 1 \\" in latex(starred, methods="", label="")
    table = PaperTable((NASTY, NASTY), ((Cell(NASTY), Cell("-1.5 ± 0.1", is_best=True)),), NASTY)
    text = latex(table, methods=NASTY + "\r\\end{table}", label=NASTY)
    assert is_balanced(text)
    assert r"\textbf{$-$1.5 $\pm$ 0.1} \\" in text
    assert [line for line in text.splitlines() if line == r"\end{table}"] == [r"\end{table}"]
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1, 1]


LETTERS = (
    *(
        f"a{letter}b {letter}{letter} {letter}"
        for letter in r"""&%$#_{}~^\<>|"'`±[]()*-+=!?,.:;@/ é中≥µΩα∞−ąß«🙂Ж×°…“”"""
    ),
    *(
        "*",
        "**",
        "[",
        "[1]",
        "-",
        "--",
        "---",
        "?`!`",
        "a_b^c",
        r"\input{x}",
        r"\\",
        r"\\[1cm]",
        "%",
        "%\n",
        "&&",
        "fi ffi",
    ),
    *("lr=1e-05 act=relu", "", " ", "a\u0301", "\u200b", "\u00a0", "x\ty", "hidden=[16, 16]", "{", "}", "$x$", "#1"),
)


@pytest.mark.slow
def test_the_table_and_the_methods_compile_and_show_each_row(tmp_path: Path) -> None:
    """Where there is no LaTeX, it is held that nothing opens, closes or ends that should not."""
    rows = tuple(
        (Cell(text, i % 2 == 0), Cell("-1.5 ± 0.1", i % 3 == 0), Cell(f"{i}")) for i, text in enumerate(LETTERS)
    )
    text = latex(PaperTable((NASTY, *LETTERS[:2]), rows, NASTY), methods=NASTY, label=NASTY)
    # each environment is closed in its place, and a row has its end
    assert re.findall(r"\\(begin|end)\{(\w+)\}", text) == [
        ("begin", "table"), ("begin", "tabular"), ("end", "tabular"), ("end", "table"),
    ]  # fmt: skip
    assert len(re.findall(r" \\\\$", text, re.MULTILINE)) == len(LETTERS) + 1
    assert is_balanced(text)
    assert not re.search(r"\\\\\s*[*[]", text)
    if shutil.which("pdflatex") is None:
        return
    # smaller, so that all of it is on a page
    (tmp_path / "table.tex").write_text(text.replace(r"\centering", r"\centering\tiny"))
    (tmp_path / "methods.tex").write_text(in_latex("\n".join(map(plain, LETTERS))))
    document = r"\documentclass{article}\usepackage[margin=5mm]{geometry}\usepackage{booktabs}\begin{document}"
    (tmp_path / "paper.tex").write_text(document + "\n\\input{table.tex}\n\n\\input{methods.tex}\n\\end{document}\n")
    done = completed("pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Missing character" not in (tmp_path / "paper.log").read_text(errors="replace")
    if shutil.which("pdftotext") is not None:
        shown = completed("pdftotext", "-layout", "paper.pdf", "-", cwd=tmp_path).stdout
        numbers = [int(line.split()[-1]) for line in shown.splitlines() if re.search(r"±\s*0\.1\s+\d+$", line)]
        assert numbers == [*range(len(LETTERS))]
        assert all(part in shown for part in ("U+4E2D", "lr=1e-05 act=relu", "**", "[1]", "hidden=[16, 16]"))


def test_markdown_has_the_same_cells(tmp_path: Path) -> None:
    found = summary(tmp_path)
    assert markdown(table_of(found), methods="One.\nTwo_.") == (
        "| group | seeds | val/loss | test/accuracy, % | failed, % |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| relu | 3 | **0.020 \\[0.010, 0.030\\]** | **98.0 \\[97.0, 99.0\\]** | 100 \\[29, 100\\] |\n"
        "| identity | 3 | 0.490 \\[0.480, 0.500\\] | 51.0 \\[50.0, 52.0\\] | 100 \\[29, 100\\] |\n"
        "\nMedian over seeds \\[75% interval\\]. The best of each column is bold. "
        "Failed: test/r2 &lt;= 0, or no number.\n\nOne.\nTwo\\_.\n"
    )
    assert in_markdown("a|b *c* <d> \\ `e` [f](g)") == r"a\|b \*c\* &lt;d> \\ \`e\` \[f\](g)"


def test_csv_has_values_and_numbers_with_all_digits(tmp_path: Path) -> None:
    found = summary(tmp_path)
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [row["model.net.activation"] for row in rows] == ["relu", "identity"]
    assert float(rows[0]["test/accuracy mean"]) == pytest.approx(0.98, abs=1e-12)
    ends = [float(rows[0][f"test/accuracy median{part}"]) for part in ("", " low", " high", " level")]
    assert ends == [0.98, 0.97, 0.99, 0.75]
    mean = found.groups[0].distributions["test/accuracy"].mean
    assert mean.interval is not None
    ends = [float(rows[0][f"test/accuracy mean {part}"]) for part in ("low", "high", "level")]
    assert ends == list(mean.interval)
    assert rows[0]["val/loss mean low"] == ""
    assert [rows[0][key] for key in ("runs", "failed")] == ["3", "3"]
    assert float(rows[0]["failed low"]) == pytest.approx(0.292402, abs=1e-6)
    assert (rows[0]["val/loss p"], rows[0]["val/loss n"]) == ("", "3")
    (comparison,) = [each for each in found.comparisons if each.metric == "val/loss"]
    assert float(rows[1]["val/loss p"]) == comparison.p_value


def test_a_single_group_has_nothing_in_bold_and_a_single_seed_no_interval(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=0", metrics={"val/loss": 0.5})
    found = summarise(read_jobs([tmp_path]), [tmp_path], metric=None)
    assert table_of(found) == PaperTable(
        ("group", "seeds", "val/loss"), ((Cell("all jobs"), Cell("1"), Cell("0.5000")),), "One seed per group."
    )
    assert methods(found).startswith("Numbers are those of one seed per group.\nComputed with torch ")


def test_methods_tell_test_correction_versions_and_what_is_left_out(tmp_path: Path) -> None:
    found = summary(tmp_path)
    lines = methods(found).splitlines()
    assert lines[0] == (
        "Numbers are medians over 3 seeds per group with 75% intervals of order statistics. Intervals cover initial "
        "weights; the data are one draw."
    )
    assert lines[1] == (
        "The best group by val/loss is compared with each other group seed by seed by Wilcoxon's signed rank test "
        "(exact), two-sided."
    )
    assert lines[2].startswith("Differences up to 0.01 of test/accuracy do not matter: ")
    assert lines[3] == "val/loss, relu against: identity p = 0.250."
    assert lines[5] == (
        "A run has failed where test/r2 <= 0, or where it has no number, with exact intervals of its share (Clopper "
        "and Pearson, 1934)."
    )
    assert re.match(r"Computed with torch \S+, lightning \S+, .*numpy", lines[6])
    assert lines[7] == "6 jobs: 6 completed."
    for seed in range(3):
        make_job(
            tmp_path / f"tanh{seed}", "model.net.activation=tanh", f"seed={seed}", metrics={"val/loss": 0.2 + seed}
        )
    make_job(tmp_path / "x", "seed=9", error=ValueError("no"))
    lines = methods(summarise(read_jobs([tmp_path]), [tmp_path], metric="val/loss")).splitlines()
    assert lines[1].endswith(
        "two-sided, and p values are corrected for the number of pairs of groups by Holm's method (1979)."
    )
    assert lines[-1] == "10 jobs: 9 completed, 1 failed; numbers are of those that completed."
