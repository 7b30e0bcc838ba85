import assert from "node:assert/strict";
import { row } from "../acts.mjs";

/** What has the focus: its words, and whether one sees that it has it. */
const focus = (window) => window.page.evaluate(() => {
  const at = document.activeElement;
  const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(at);
  const { width, height } = at.getBoundingClientRect();
  const ring = outlineStyle !== "none" && parseFloat(outlineWidth) > 0 && outlineColor !== "transparent";
  const nowhere = at === document.body || at.id === "main";
  const label = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent;
  return { nowhere, tag: at.localName, label: label.trim().replace(/\s+/g, " "), href: at.getAttribute("href") ?? "",
    seen: (ring || boxShadow !== "none") && width > 1 && height > 1 };
});

/** A window in which only keys are pressed. */
class Hands {
  constructor(window) { this.window = window; }

  async press(...keys) { for (const key of keys) await this.window.page.keyboard.press(key); }

  type(text) { return this.window.page.keyboard.type(text); }

  /** Whatever has the focus, one sees it. */
  async at() {
    const here = await focus(this.window);
    assert.ok(here.nowhere || here.seen, `the focus is not seen on ${here.tag} “${here.label}”`);
    return here;
  }

  /** Goes on with a key until what has the focus is called like this. */
  async to(name, key = "Tab") {
    const met = [];
    for (let n = 0; n < 250; n += 1) {
      await this.press(key);
      const { tag, label } = await this.at();
      if (label.match(name)) return;
      met.push(`${tag} ${label.slice(0, 30)}`);
    }
    throw new Error(`${key} does not lead to ${name}, but to ${met.slice(0, 60).join(" | ")}`);
  }

  /** Past what stands beside every page. */
  async skip() {
    await this.to(/^Skip to the content$/);
    await this.press("Enter");
    await this.window.page.waitForFunction(() => document.activeElement.id === "main");
  }

  /** Follows a link or presses a button in the content, which leads to another page. */
  async go(name, url) {
    await this.skip();
    await this.to(name);
    await this.press("Enter");
    await this.window.page.waitForURL(url);
    await this.window.page.waitForLoadState();
  }
}

/** Reads, writes, reacts and edits. */
async function talk(hands, bob, chat) {
  const { window } = hands;
  await hands.go(/^Everything$/, "**/?view=all");
  await hands.to(/^By keyboard/, "j");
  await hands.press("Enter");
  await window.page.waitForURL(`**/t/${chat}`);
  await window.message("a line to answer").waitFor();
  await hands.press("r");
  await hands.at();
  await hands.type("typed, not clicked");
  await hands.press("Control+Enter");
  await bob.message("typed, not clicked").waitFor();
  await window.message("typed, not clicked").waitFor();
  await hands.press("Escape");
  const sheet = window.page.locator("dialog.sheet");
  await hands.skip();
  await hands.to(/^React, start a thread$/);
  await hands.press("Enter");
  await sheet.waitFor();
  await hands.to(/^React with 🎉$/);
  await hands.press("Enter");
  await bob.page.locator("#m1 .reaction", { hasText: "🎉 1" }).waitFor();
  await sheet.waitFor({ state: "detached" });
  assert.match((await hands.at()).label, /^React, start a thread$/, "back where one was");
  await hands.to(/^React, edit, delete, start a thread$/);
  await hands.press("Enter");
  await sheet.waitFor();
  await hands.to(/^The text$/);
  await hands.press("Control+End");
  await hands.type(", then changed");
  await hands.to(/^Save$/);
  await hands.press("Enter");
  await bob.message("typed, not clicked, then changed").waitFor();
  await sheet.waitFor({ state: "detached" });
}

/** Invites carol, and removes bob. */
async function lead(hands, stage, group) {
  const { window } = hands;
  await hands.go(/^By keyboard$/, `**/g/${group}`);
  await hands.go(/^Members$/, `**/g/${group}/members`);
  await hands.skip();
  await hands.to(/^Add new member$/);
  await hands.press("Enter");
  await hands.to(/^Name or e-mail$/);
  await hands.type(stage.carol.address);
  await hands.press("Enter");
  await row(window, stage.carol.address).getByText("was asked").waitFor();
  await hands.go(new RegExp(`^Remove ${stage.bob.name}$`), `**/g/${group}/remove/*`);
  await hands.skip();
  await hands.to(/^Remove$/);
  await hands.press("Enter");
}

export default {
  "all that one does every day is done with the keyboard alone, and the focus is always seen": async ({ stage, open }) => {
    const { id, chat } = await stage.group("By keyboard", stage.alice, stage.bob);
    await stage.bob.write(chat, "a line to answer, about heliotrope");
    const [alice, bob] = [await open(stage.alice), await open(stage.bob)];
    await bob.open(chat);
    bob.expect(/404/);
    alice.expect(/console: .*404.*\/remove\//);
    const hands = new Hands(alice);
    await talk(hands, bob, chat);
    await lead(hands, stage, id);
    await bob.sees("You are no longer in this conversation");
    await alice.sees("Removed everywhere");
    await hands.press("?");
    await alice.sees("This sheet", "dialog");
    await hands.to(/^Close$/);
    await hands.press("Escape");
    await alice.page.locator("#keys").waitFor({ state: "hidden" });
    await hands.press("/");
    await alice.page.waitForURL("**/search");
    await alice.page.waitForFunction(() => document.activeElement.id === "find");
    await hands.at();
    await hands.type("heliotrope");
    await hands.press("Enter");
    await alice.page.waitForURL("**/search?q=heliotrope");
    await hands.skip();
    await hands.to(/^By keyboard$/);
    await hands.press("Enter");
    await alice.sees("about heliotrope");
    // The check above is one: it fails where nothing is seen.
    await hands.to(/^Directory$/);
    await alice.page.evaluate(() => { document.activeElement.style.outline = "none"; });
    await assert.rejects(hands.at(), /the focus is not seen on a “Directory”/);
  },
};
