import assert from "node:assert/strict";
import { accept, add, group, notice, row, sure } from "../acts.mjs";

/** A group of alice's with bob in it: bob looks at its chat, alice at its settings. */
async function both({ stage, open }, name) {
  const { id, chat } = await stage.group(name, stage.alice, stage.bob);
  await stage.alice.write(chat, "the last word");
  const [alice, bob] = [await open(stage.alice), await open(stage.bob)];
  await bob.open(chat);
  await bob.sees("the last word");
  await alice.go(`/g/${id}/settings`);
  return { id, chat, alice, bob };
}

/** What is written is not taken, and a sentence in the page says why not; the words are still in the box. */
async function refused(window, why) {
  window.expect(/40[39]/);
  const text = `not to be taken ${Date.now()}`;
  await window.write(text);
  await window.page.locator("#notices, #pending").getByText(why).first().waitFor();
  assert.equal(await window.page.locator("#messages .message", { hasText: text }).count(), 0);
}

async function set(alice, label) {
  await alice.page.getByLabel(label).check();
  await alice.page.getByRole("button", { name: "Save" }).click();
  await alice.page.waitForURL("**/settings");
  assert.equal(await alice.page.getByLabel(label).isChecked(), true);
}

export default {
  "replies by admins only: a member's composer is refused plainly (P5.1)": async (all) => {
    const { chat, alice, bob } = await both(all, "Announcements");
    await set(alice, "Only admins write");
    await bob.sees("replies off", ".head");
    await refused(bob, /admins/);
    await alice.open(chat);
    await alice.write("but the admin writes");
    await bob.message("but the admin writes").waitFor();
  },

  "an archived group takes nothing, and is read on (P5.2)": async (all) => {
    const { id, alice, bob } = await both(all, "To the archive");
    await set(alice, "Archived: nobody writes any more");
    await bob.sees("closed", ".head");
    await refused(bob, /closed|archived/);
    await bob.sees("the last word");
    await bob.go(`/g/${id}`);
    await bob.sees("archived", ".head");
  },

  "a deleted group ends while the other looks at it (P5.2)": async (all) => {
    const { alice, bob } = await both(all, "To be deleted");
    bob.expect(/404/);
    sure(alice);
    await alice.page.getByRole("button", { name: "Delete for everybody" }).click();
    await bob.sees("You are no longer in this conversation");
    assert.equal(await bob.page.getByText("the last word").count(), 0);
    await bob.loses("To be deleted", ".groups");
    await alice.go("/directory?q=To+be+deleted");
    await alice.sees("No group is found.");
  },

  "a place with a grade and an end date: both stand on the row, and the reader cannot write (P2.7, P2.8)": async ({ stage, open }) => {
    const name = "Only to read";
    const { id, chat } = await stage.group(name, stage.alice);
    const [alice, bob] = [await open(stage.alice), await open(stage.bob)];
    await alice.live(`/g/${id}/members`);
    await bob.live("/");
    const day = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
    await add(alice, stage.bob.address, { grade: "read", until: day });
    await row(alice, stage.bob.address).getByText("was asked").waitFor();
    await bob.page.locator(".side").getByRole("link", { name: /Invitations/ }).click();
    await bob.page.locator("li", { hasText: name }).getByText("and could not write").waitFor();
    await accept(bob, name);
    await group(bob, name).waitFor();
    const his = row(alice, stage.bob.address);
    await his.getByText("only reads").waitFor();
    assert.equal((await his.locator("time").getAttribute("datetime")).slice(0, 10), day, "the row has its last day");
    await stage.alice.write(chat, "for reading");
    await bob.open(chat);
    await bob.message("for reading").waitFor();
    await refused(bob, /may not|only read/);
  },
};
