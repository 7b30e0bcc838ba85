import { Window, findings } from "../browser.mjs";
import { PAGES, furnish, visit } from "../pages.mjs";

let facts;

/** Every page in a colour scheme, and with the keyboard's sheet open. */
async function all({ stage, browser, open, keep }, colorScheme) {
  facts ??= await furnish(stage);
  const inside = await open(stage.alice, { colorScheme });
  const outside = await Window.open(browser, stage.alice, { colorScheme });
  keep(outside);
  const [found, absent] = [[], []];
  for (const page of PAGES) {
    const window = page.open ? outside : inside;
    if (!await visit(window, page, facts)) { absent.push(page.name); continue; }
    found.push(...(await findings(window.page)).map((text) => `${page.name}, ${colorScheme}: ${text}`));
  }
  await inside.go("/");
  await inside.page.keyboard.press("?");
  await inside.sees("This sheet", "dialog");
  found.push(...(await findings(inside.page)).map((text) => `keyboard sheet, ${colorScheme}: ${text}`));
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

  "no page has a serious finding of axe-core, light": (stage) => all(stage, "light"),
  "no page has a serious finding of axe-core, dark": (stage) => all(stage, "dark"),

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
