"""Letters as LaTeX reads them, so that they stand for themselves: with pdfLaTeX and no package, or any other one."""

# ruff: noqa: RUF001

import re
import unicodedata

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "`": "{`}",
    "±": r"$\pm$",
}
# What the fonts have that pdfLaTeX begins with, and those of T1.
_KNOWN = frozenset(
    "\u00a0¡¢£¤¥¦§¨©ª¬®¯°²³´µ¶·¸¹º¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖ×ØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõö÷øùúûüýÿĀāĂăĆćĈĉĊċČčĎďĒēĔĕĖėĚěĜĝĞğĠġĢģĤĥĨĩ"
    "ĪīĬĭİıĲĳĴĵĶķĹĺĻļĽľŁłŃńŅņŇňŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŴŵŶŷŸŹźŻżŽžǍǎǏǐǑǒǓǔǦǧȘșȚțẞ–—‘’“”†‡•…‰€№™←↑→↓"
)
_OF_T1 = frozenset("«»ÐÞðþĄąĐđĘęĮįŊŋŲų‚„‹›")
_MATHS = {
    **{"≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv", "≪": r"\ll", "≫": r"\gg"},
    **{"∞": r"\infty", "∂": r"\partial", "∇": r"\nabla", "∑": r"\Sigma", "∏": r"\Pi", "√": r"\surd", "∆": r"\Delta"},
    **{"−": "-", "∈": r"\in", "∅": r"\emptyset", "∩": r"\cap", "∪": r"\cup", "∘": r"\circ", "∼": r"\sim"},
    **{"⊕": r"\oplus", "⊗": r"\otimes", "⇒": r"\Rightarrow", "↔": r"\leftrightarrow", "★": r"\star", "ς": r"\varsigma"},
    **{"ϵ": r"\epsilon", "ϕ": r"\phi", "Ω": r"\Omega", "ο": "o"},
    **{digit: f"^{i}" for i, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{digit: f"_{i}" for i, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}
# Capitals that Latin has not got.
_CAPITALS = "ΓΔΘΛΞΠΣΥΦΨΩ"
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (\w+)")
_NAMES = {"LAMDA": "lambda"}


def in_latex(text: str) -> str:
    """A text of printable letters, each of which stands for itself.

    One that pdfLaTeX has no font for shows its number there, and itself in LuaLaTeX and XeLaTeX.
    """
    escaped = "".join(map(_letter, unicodedata.normalize("NFC", text)))
    # two of them would be another letter, and an open bracket behind a line's end its argument
    return re.sub(r"([-',])(?=\1)", r"\1{}", escaped.replace("[", "{[}").replace("]", "{]}")).replace("{'{}'}", "{''}")


def _letter(letter: str) -> str:
    if letter in _COMMANDS:
        return _COMMANDS[letter]
    if letter.isascii() or letter in _KNOWN:
        return letter
    if letter in _OF_T1:
        return rf"{{\fontencoding{{T1}}\selectfont {letter}}}"
    if (formula := _MATHS.get(letter) or _greek(letter)) is not None:
        return f"${formula}$"
    return rf"{{\ifdefined\pdftexversion\texttt{{U+{ord(letter):04X}}}\else {letter}\fi}}"


def _greek(letter: str) -> str | None:
    """A letter of Greek as a formula; None of any other, and of those with accents."""
    found = _GREEK.fullmatch(unicodedata.name(letter, ""))
    if found is None or not "α" <= letter.lower() <= "ω":
        return None
    name = _NAMES.get(found[2], found[2].lower())
    if found[1] == "SMALL":
        return rf"\{name}"
    return rf"\{name.capitalize()}" if letter in _CAPITALS else None
