// Pictures of every page, light and dark, on a wide screen and on a phone.
//
//   node tests/browser/screenshots.mjs DIR [PART OF A PAGE'S NAME]...
//
// Writes DIR/NAME-light-wide.png and so on. Starts its own workspaces, or uses those of a
// running `comity demo --json` whose first line is in the file that COMITY_DEMO names (see stage.mjs). The pages are
// listed in pages.mjs.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Window, launch } from "./browser.mjs";
import { PAGES, furnish, visit } from "./pages.mjs";
import { Stage } from "./stage.mjs";

const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const [folder, ...wanted] = process.argv.slice(2);
if (!folder) throw new Error("usage: node tests/browser/screenshots.mjs DIR [PART OF A PAGE'S NAME]...");
mkdirSync(folder, { recursive: true });
const pages = PAGES.filter(({ name }) => !wanted.length || wanted.some((part) => name.includes(part)));
const [stage, browser] = await Promise.all([Stage.set(), launch()]);
try {
  const facts = await furnish(stage);
  const absent = new Set();
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const inside = await Window.of(browser, stage.alice, { colorScheme, viewport });
      const outside = await Window.open(browser, stage.alice, { colorScheme, viewport });
      for (const page of pages) {
        const window = page.open ? outside : inside;
        if (!await visit(window, page, facts)) { absent.add(page.name); continue; }
        await window.page.screenshot({ path: join(folder, `${page.name}-${colorScheme}-${size}.png`) });
      }
      await inside.close();
      await outside.close();
    }
  }
  console.log(`${pages.length - absent.size} pages in ${folder}`);
  if (absent.size) console.log(`not there yet: ${[...absent].join(", ")}`);
} finally {
  await browser.close();
  await stage.strike();
}
