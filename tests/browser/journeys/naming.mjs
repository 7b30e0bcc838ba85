import assert from "node:assert/strict";
import { accept, openRow } from "../acts.mjs";

const recipients = async (person, thread) => (await person.get(`/threads/${thread}/members`)).members.map(({ id }) => id);

export default {
  "naming somebody who is no recipient adds nobody, and offers to add him (P3.3)": async ({ stage, open }) => {
    const { alice, bob, carol } = stage;
    const topic = await alice.post("/threads", { subject: "Who is named" });
    await stage.join(alice, "threads", topic.id, bob);
    const window = await open(alice);
    await window.open(topic.id);
    await window.write(`what would @${carol.name} say?`);
    await window.message("would").locator(".mention", { hasText: carol.name }).waitFor();
    await window.page.locator("#notices").getByText("You named somebody who does not read this.").waitFor();
    assert.deepEqual(new Set(await recipients(alice, topic.id)), new Set([alice.id, bob.id]), "nobody is added");
    assert.equal((await carol.get("/invitations")).invitations.filter(({ scope }) => scope === topic.id).length, 0);
    const hers = await open(carol);
    await hers.live("/");
    await window.page.getByRole("link", { name: "Add to the recipients" }).click();
    assert.equal(await window.page.getByLabel("Name or e-mail").inputValue(), carol.address, "filled in, not yet sent");
    await window.page.locator("#add").getByRole("button", { name: "Add", exact: true }).click();
    await accept(hers, "Who is named");
    await openRow(hers, "Who is named");
    await hers.sees("would");
  },

  "whom one names in a group's chat is offered to be added to the group (P3.3)": async ({ stage, open }) => {
    const { alice, bob, carol } = stage;
    const { id, chat } = await stage.group("Named in a chat", alice, bob);
    const window = await open(alice);
    await window.open(chat);
    await window.write(`does @${carol.name} know?`);
    await window.page.getByRole("link", { name: "Add to the recipients" }).click();
    await window.page.waitForURL(`**/g/${id}/members?add=*`);
    assert.equal(await window.page.getByLabel("Name or e-mail").inputValue(), carol.address);
  },

  "a new thread adds those whom its first message names, if one says so (P3.3)": async ({ stage, open }) => {
    const { alice, bob } = stage;
    const his = await open(bob);
    await his.live("/");
    const window = await open(alice);
    await start(window, "Named but not added", `@${bob.name} is only spoken of`, false);
    const without = window.page.url().split("/t/")[1];
    assert.deepEqual(await recipients(alice, without), [alice.id]);
    await start(window, "Named and added", `@${bob.name}, please look`, true);
    await accept(his, "Named and added");
    await openRow(his, "Named and added");
    await his.message("please look").waitFor();
    const { invitations } = await bob.get("/invitations");
    assert.equal(invitations.filter(({ scope }) => scope === without).length, 0);
  },
};

async function start(window, subject, text, adds) {
  await window.go("/new");
  await window.page.getByLabel("Subject").fill(subject);
  await window.page.getByLabel("First message").fill(text);
  if (adds) await window.page.getByLabel("Whomever I name with @ becomes a recipient").check();
  await window.page.getByRole("button", { name: "Start" }).click();
  await window.page.waitForURL("**/t/*");
}
