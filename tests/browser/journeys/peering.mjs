import assert from "node:assert/strict";
import { accept, add, group, row, sure } from "../acts.mjs";
import { Window } from "../browser.mjs";
import { until } from "../stage.mjs";

/** The page of a partner, opened by its link in the list. */
async function partner(window, name) {
  await window.page.locator("main").getByRole("link", { name, exact: true }).click();
  await window.sees("Compare the fingerprints");
}

const fingerprints = (window) => window.page.locator("#trust ~ .pair code").allInnerTexts();

export default {
  "two admins become partners: ticket, fingerprints shown to both, approval by both, first message (P8.1)": async ({ stage, open, browser, keep }) => {
    if (!stage.kills) return console.log("    skipped: the nodes are somebody else's");
    const dora = await stage.found("Hooli", "dora");
    const [theirs, alice] = [await Window.open(browser, dora), await open(stage.alice)];
    keep(theirs);
    await theirs.page.goto(dora.first);
    await theirs.page.getByLabel("Password").fill("a long enough password");
    await theirs.page.getByRole("button", { name: "Set it and sign in" }).click();
    await theirs.page.waitForURL(`${theirs.base}/`);
    await theirs.page.getByRole("link", { name: "Administration" }).click();
    await theirs.page.getByRole("link", { name: "Partners", exact: true }).click();
    await theirs.page.getByRole("button", { name: "Make a ticket" }).click();
    const ticket = await theirs.page.locator("section", { hasText: "Your ticket" }).locator("code.line").innerText();
    await alice.go("/admin/peers");
    await alice.page.getByLabel("The whole line that you were sent").fill(ticket);
    await alice.page.getByRole("button", { name: "Accept", exact: true }).click();
    await alice.sees("asked for, and they have to approve");
    // The page that dora has open shows by itself who asks.
    await theirs.sees("asks; you have to approve");
    await partner(theirs, stage.alice.workspace.name);
    await until("the fingerprints", async () => (await fingerprints(theirs)).length === 2);
    const [hers, her] = [await fingerprints(alice), await fingerprints(theirs)];
    assert.equal(new Set(hers).size, 2);
    assert.deepEqual([...hers].sort(), [...her].sort(), "both admins read the same two lines");
    assert.equal(hers[0], her[1], "each sees its own first");
    sure(theirs);
    await theirs.page.getByRole("button", { name: /^Approve/ }).click();
    for (const window of [theirs, alice]) {
      await window.sees("approved by both");
      await window.sees("connected since");
    }
    await firstMessage(stage, alice, theirs, dora);
  },
};

async function firstMessage(stage, alice, theirs, dora) {
  const { id, chat } = await stage.group("New partners", stage.alice);
  await theirs.live("/");
  await alice.live(`/g/${id}/members`);
  await add(alice, dora.address);
  await accept(theirs, "New partners");
  await group(theirs, "New partners").waitFor();
  await row(alice, dora.address).getByText("External").waitFor();
  await Promise.all([alice.open(chat), theirs.open(chat)]);
  await alice.write("welcome, partner");
  await theirs.message("welcome, partner").waitFor();
  await theirs.write("glad to be here");
  await alice.message("glad to be here").waitFor();
}
