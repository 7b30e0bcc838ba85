import assert from "node:assert/strict";
import { row } from "../acts.mjs";

/** Bob, at the owner's policy: he reads a chat with words to lose in it. */
async function reading(stage, open, owner, name) {
  const { id, chat } = await stage.group(name, owner, stage.bob);
  await owner.write(chat, "words to lose");
  const bob = await open(stage.bob);
  await bob.open(chat);
  await bob.sees("words to lose");
  bob.expect(/404/);
  return { id, chat, bob };
}

async function cut(bob, name) {
  await bob.sees("You are no longer in this conversation");
  assert.equal(await bob.page.getByText("words to lose").count(), 0);
  await bob.loses(name, ".groups");
}

export default {
  "a tightened policy: the admin sees who would lose what before it is applied, then it cuts live (P8.2)": async ({ stage, open }) => {
    // Carol's node: what the policy cuts there no other journey needs.
    const name = "Before the policy";
    const { id, bob } = await reading(stage, open, stage.carol, name);
    const carol = await open(stage.carol);
    await carol.go("/admin/policy");
    await carol.page.getByLabel("only these:").check();
    await carol.page.getByRole("checkbox", { name: /Acme/ }).check();
    await carol.page.getByRole("button", { name: "Save" }).click();
    await carol.sees("Allow less to external people?");
    const loss = carol.page.locator("tr", { hasText: name });
    await loss.getByText(stage.bob.address).waitFor();
    await loss.getByText("External", { exact: true }).waitFor();
    assert.match(await loss.innerText(), /nothing/, "and that nothing else leads him there");
    // Nothing has happened yet, and nothing does when she goes back.
    await carol.page.getByRole("link", { name: "Leave it as it is" }).click();
    await carol.sees("It holds for the whole workspace");
    assert.equal(await carol.page.getByLabel("every partner").isChecked(), true);
    await bob.sees("words to lose");
    try {
      await carol.page.getByLabel("only these:").check();
      await carol.page.getByRole("checkbox", { name: /Acme/ }).check();
      await carol.page.getByRole("button", { name: "Save" }).click();
      await carol.page.getByRole("button", { name: "Change it" }).click();
      await cut(bob, name);
      await carol.sees("It holds for the whole workspace");
      await carol.go(`/g/${id}/members`);
      assert.equal(await row(carol, stage.bob.address).count(), 0);
    } finally {
      await stage.carol.ask("PATCH", "/workspace/policy?confirm=true", { peers: "all" });
    }
  },

  "a group made internal-only: its admin sees who would be out, then it cuts live (P5.1, P8.2)": async ({ stage, open }) => {
    const name = "Soon internal";
    const { id, bob } = await reading(stage, open, stage.alice, name);
    const alice = await open(stage.alice);
    await alice.go(`/g/${id}/settings`);
    await alice.page.getByLabel("People of other workspaces may be members").uncheck();
    await alice.page.getByRole("button", { name: "Save" }).click();
    await alice.sees("Who would be out");
    await row(alice, stage.bob.address).getByText("External").waitFor();
    await bob.sees("words to lose");
    await alice.page.getByRole("button", { name: "Change it, and remove them" }).click();
    await cut(bob, name);
    await alice.go(`/g/${id}/members`);
    assert.equal(await row(alice, stage.bob.address).count(), 0);
  },
};
