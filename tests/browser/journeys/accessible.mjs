import { Window, findings } from "../browser.mjs";
import { PAGES, furnish, visit } from "../pages.mjs";

let facts;

const administration = ({ name }) => name.startsWith("admin");

/** Some of the pages in a colour scheme. */
async function all({ stage, browser, open, keep }, colorScheme, wanted) {
  facts ??= await furnish(stage);
  const inside = await open(stage.alice, { colorScheme });
  const outside = await Window.open(browser, stage.alice, { colorScheme });
  keep(outside);
  const [found, absent] = [[], []];
  for (const page of PAGES.filter(wanted)) {
    const window = page.open ? outside : inside;
    if (!await visit(window, page, facts)) { absent.push(page.name); continue; }
    found.push(...(await findings(window.page)).map((text) => `${page.name}, ${colorScheme}: ${text}`));
  }
  if (absent.length && colorScheme === "light") console.log(`    not there yet: ${absent.join(", ")}`);
  if (found.length) throw new Error(`\n${found.join("\n")}`);
}

export default {
  "axe-core finds what is planted": async ({ stage, open }) => {
    const window = await open(stage.alice);
    await window.page.evaluate(() => document.getElementById("main").append(document.createElement("button")));
    const found = await findings(window.page);
    if (!found.some((text) => text.startsWith("button-name"))) throw new Error(`it found ${found.length} others`);
  },

  "no page has a serious finding of axe-core, light": (stage) => all(stage, "light", (page) => !administration(page)),
  "no page has a serious finding of axe-core, dark": (stage) => all(stage, "dark", (page) => !administration(page)),
  "no page of the administration has one, light": (stage) => all(stage, "light", administration),
  "no page of the administration has one, dark": (stage) => all(stage, "dark", administration),

  "nor has what opens over a page": async ({ stage, open }) => {
    facts ??= await furnish(stage);
    for (const colorScheme of ["light", "dark"]) {
      const window = await open(stage.alice, { colorScheme });
      await window.go("/");
      await window.page.keyboard.press("?");
      await window.sees("This sheet", "dialog");
      const found = await findings(window.page);
      await window.go(`/t/${facts.chat}`);
      await window.page.locator("a.tools").first().click();
      await window.sees("React", "dialog.sheet");
      found.push(...await findings(window.page));
      if (found.length) throw new Error(found.join("\n"));
    }
  },

  "no page is wider than a phone": async ({ stage, browser, open, keep }) => {
    facts ??= await furnish(stage);
    const viewport = { width: 390, height: 844 };
    const [inside, outside] = [await open(stage.alice, { viewport }), await Window.open(browser, stage.alice, { viewport })];
    keep(outside);
    const wide = [];
    for (const page of PAGES) {
      const window = page.open ? outside : inside;
      if (!await visit(window, page, facts)) continue;
      const width = await window.page.evaluate(() => document.documentElement.scrollWidth);
      if (width > viewport.width) wide.push(`${page.name}: ${width} pixels`);
    }
    if (wide.length) throw new Error(wide.join("\n"));
  },
};
