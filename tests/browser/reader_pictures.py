"""Pictures for the README, small enough for a repository."""

import shutil
import subprocess
from pathlib import Path

from playwright.async_api import Locator, Page

MOST_BYTES = 150_000
# The page is longer than anybody looks at in a README.
HEIGHTS = {"": 1_180, "-dark": 1_180, "-phone": 1_560}
# Where a picture may end: above a rule, not amid a control.
LAST_BREAK = """(most) => {
  const inside = document.querySelector("tocsin-preferences")?.shadowRoot.querySelectorAll("fieldset") ?? [];
  const rules = [...document.querySelectorAll(".sheet"), ...inside].map((one) => one.getBoundingClientRect().top);
  const breaks = [...rules, document.documentElement.scrollHeight];
  return Math.floor(Math.max(...breaks.map((top) => top + scrollY).filter((top) => top <= most)));
}"""


async def keep(page: Page, folder: Path, name: str, look: str, language: str) -> None:
    """`name` and the ending of its look; of a page from right to left there is one picture."""
    if look not in HEIGHTS or (language == "ar" and look):
        return
    ending = "-rtl" if language == "ar" else look
    path = folder / f"{name}{ending}.png"
    height = await page.evaluate(LAST_BREAK, HEIGHTS[look])
    await page.screenshot(
        path=path, full_page=True, clip={"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
    )  # type: ignore[index]
    _squeeze(path)


async def keep_part(part: Locator, folder: Path, name: str) -> None:
    path = folder / f"{name}.png"
    await part.screenshot(path=path)
    _squeeze(path)


def _squeeze(path: Path) -> None:
    if program := shutil.which("pngquant"):
        subprocess.run([program, "--force", "--output", path, "--quality=70-95", "--strip", path], check=True)
    assert path.stat().st_size <= MOST_BYTES, f"{path.name} is too big; pngquant makes it a third"
