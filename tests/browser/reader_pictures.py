"""Pictures for the README, small enough for a repository."""

import shutil
import subprocess
from pathlib import Path

from playwright.async_api import Locator, Page

MOST_BYTES = 150_000
# The page is longer than anybody looks at in a README.
HEIGHTS = {"": 1_180, "-dark": 1_180, "-phone": 1_640}
# Where a picture may end: above a rule, not amid a control.
TO_A_BREAK = """(most) => {
  const inside = document.querySelector("tocsin-preferences")?.shadowRoot.querySelectorAll("fieldset") ?? [];
  const ruled = [...document.querySelectorAll(".sheet, .wire"), ...inside];
  const rules = ruled.map((one) => one.getBoundingClientRect().top);
  const breaks = [...rules, document.documentElement.scrollHeight];
  const height = Math.floor(Math.max(...breaks.map((top) => top + scrollY).filter((top) => top <= most)));
  return { x: 0, y: 0, width: innerWidth, height };
}"""
WITH_MARGIN = """(one) => {
  const { x, y, width, height } = one.getBoundingClientRect();
  return { x: x - 32, y: y + scrollY, width: width + 64, height };
}"""


async def keep(page: Page, folder: Path, name: str, look: str, language: str) -> None:
    """`name` and the ending of its look; of a page from right to left there is one picture."""
    if look not in HEIGHTS or (language == "ar" and look):
        return
    ending = "-rtl" if language == "ar" else look
    path = folder / f"{name}{ending}.png"
    box = await page.evaluate(TO_A_BREAK, HEIGHTS[look])
    await page.screenshot(path=path, full_page=True, clip=box)
    _squeeze(path)


async def keep_part(part: Locator, folder: Path, name: str) -> None:
    """A part of a page with some paper round it."""
    path = folder / f"{name}.png"
    box = await part.evaluate(WITH_MARGIN)
    await part.page.screenshot(path=path, full_page=True, clip=box)
    _squeeze(path)


def _squeeze(path: Path) -> None:
    if program := shutil.which("pngquant"):
        subprocess.run([program, "--force", "--output", path, "--quality=70-95", "--strip", path], check=True)
    assert path.stat().st_size <= MOST_BYTES, f"{path.name} is too big; pngquant makes it a third"
