import assert from "node:assert/strict";
import { accept, add, group, notice, openRow, row } from "../acts.mjs";
import { Window } from "../browser.mjs";
import { until } from "../stage.mjs";

/** Two members of different workspaces who know each other from a group, or do not. */
async function two(stage, tag) {
  const now = Date.now() % 1_000_000;
  const [ann, ben] = [await stage.member(stage.alice, `ann-${now}`, `Ann ${tag}`), await stage.member(stage.bob, `ben-${now}`, `Ben ${tag}`)];
  return { ann, ben };
}

/** Writes to an address from the page of people. */
async function address(window, whom) {
  await window.page.locator(".side").getByRole("link", { name: "People" }).click();
  await window.page.getByLabel("Address").fill(whom);
  await window.page.getByRole("button", { name: "Open the conversation" }).click();
  await window.page.waitForURL("**/t/*");
}

export default {
  "a DM to somebody one does not know may be declined: nothing of it is ever seen (P2.4, P2.5)": async ({ stage, open }) => {
    const { ann, ben } = await two(stage, "Stranger");
    const [theirs, his] = [await open(ann), await open(ben)];
    await his.live("/");
    await address(theirs, ben.address);
    await theirs.write("do you have a minute?");
    const asked = () => his.page.locator("main li", { hasText: "invites you" });
    await his.page.locator(".side").getByRole("link", { name: /Invitations/ }).click();
    await asked().getByText(ann.name).waitFor();
    assert.equal(await his.page.getByText("do you have a minute?").count(), 0, "no content before the answer (P2.5)");
    await asked().getByRole("button", { name: /Decline/ }).click();
    await his.sees("Nobody waits for an answer of yours.");
    assert.equal((await ben.get("/threads?view=all")).threads.length, 0, "declined: nothing came");
  },

  "a DM to somebody one does not know may be accepted, and both talk (P2.4)": async ({ stage, open }) => {
    const { ann, ben } = await two(stage, "Newcomer");
    const [hers, his] = [await open(ann), await open(ben)];
    await his.live("/");
    await address(hers, ben.address);
    await hers.write("shall we meet?");
    await accept(his, "invites you");
    await openRow(his, ann.name);
    await his.message("shall we meet?").waitFor();
    await his.write("gladly");
    await hers.message("gladly").waitFor();
  },

  "anybody can block a person, who is told nothing and reaches him no more, until he is unblocked (P2.4)": async ({ stage, open }) => {
    const { ann, ben } = await two(stage, "Blocked");
    await stage.group("Where they met", stage.alice, ann, ben);
    const [hers, his] = [await open(ann), await open(ben)];
    await address(his, ann.address);
    await his.write("hello Ann");
    await openRow(hers, ben.name);
    await hers.message("hello Ann").waitFor();
    const dm = his.page.url();
    await his.go(`/people/${ann.id}`);
    await his.page.getByRole("button", { name: "Block", exact: true }).click();
    await his.page.getByRole("button", { name: "Unblock" }).waitFor();
    // What she writes is refused in one sentence that does not say why; what he writes, with what he can do.
    hers.expect(/409|403/);
    await hers.write("are you there?");
    await refused(hers, "this thread is closed");
    his.expect(/403/);
    await his.page.goto(dm);
    await his.write("not heard");
    await notice(his, "unblock the person first");
    // An invitation of hers does not come.
    const { id } = await ann.post("/groups", { name: "Never seen by Ben" });
    await hers.go(`/g/${id}/members`);
    await add(hers, ben.address);
    await hers.page.locator("main .people", { hasText: ben.address }).waitFor();
    await his.go(`/people/${ann.id}`);
    await his.page.getByRole("button", { name: "Unblock" }).click();
    await his.page.getByRole("button", { name: "Block", exact: true }).waitFor();
    assert.equal((await ben.get("/invitations")).invitations.length, 0);
    await his.open(dm.split("/t/")[1]);
    await hers.page.goto(`${hers.base}/t/${dm.split("/t/")[1]}`);
    await hers.write("we speak again");
    await his.message("we speak again").waitFor();
  },

  "who has an account elsewhere accepts with that account, after the inviter has said that it is he (P1.5)": async ({ stage, open, browser, keep }) => {
    const name = "Claimed elsewhere";
    const { id, chat } = await stage.group(name, stage.alice);
    const [alice, bob] = [await open(stage.alice), await open(stage.bob)];
    await alice.live(`/g/${id}/members`);
    const private_ = `bob-${Date.now()}@private.example`;
    await add(alice, private_);
    await row(alice, private_).getByText("has a link").waitFor();
    const { link } = await stage.letter(private_);
    const reader = await Window.open(browser, stage.alice);
    keep(reader);
    await reader.go(`/join/${link.split("/join/").pop()}`);
    const card = reader.page.locator("section", { hasText: "I have an account elsewhere" });
    const code = await card.locator("code").innerText();
    await bob.live("/invitations");
    await bob.page.getByLabel("Its code").fill(code);
    await bob.page.getByRole("button", { name: "Use it with this account" }).click();
    // The page that alice has open since she invited shows the claim.
    await row(alice, private_).getByText("says that it is meant for them").waitFor();
    assert.match(await row(alice, private_).innerText(), new RegExp(stage.bob.address));
    assert.equal(await group(bob, name).count(), 0, "not in before she has said so");
    await row(alice, private_).getByRole("button", { name: "It is them" }).click();
    await group(bob, name).waitFor();
    await row(alice, stage.bob.address).getByText("External").waitFor();
    await Promise.all([alice.open(chat), bob.open(chat)]);
    await bob.write("with the account that I have");
    await alice.message("with the account that I have").waitFor();
  },

  "on a locked thread others ask, and the starter approves (P2.4)": async ({ stage, open }) => {
    const subject = "Locked topic";
    const topic = await stage.alice.post("/threads", { subject });
    await stage.join(stage.alice, "threads", topic.id, stage.bob);
    await stage.alice.write(topic.id, "for a few only");
    await stage.alice.ask("PATCH", `/threads/${topic.id}`, { locked: true });
    const [alice, bob, carol] = [await open(stage.alice), await open(stage.bob), await open(stage.carol)];
    await alice.live(`/t/${topic.id}/settings`);
    await carol.live("/");
    await until("the lock at bob's", async () => (await stage.bob.get(`/threads/${topic.id}`)).settings.locked);
    await bob.go(`/t/${topic.id}/settings`);
    // He cannot add her himself, and reads why.
    await bob.page.getByText("Add a recipient").click();
    await bob.sees("only the starter and admins change them");
    assert.equal(await bob.page.getByRole("button", { name: "Add", exact: true }).count(), 0);
    await bob.page.getByLabel("Name or e-mail").fill(stage.carol.address);
    await bob.page.getByRole("button", { name: "Ask the starter to add them" }).click();
    await bob.sees(`are asked to add ${stage.carol.address}`);
    const request = alice.page.locator("main li", { hasText: `asks to add ${stage.carol.address}` });
    await request.getByRole("button", { name: /^Add/ }).click();
    await bob.page.locator("main li", { hasText: "asks to add" }).getByText("approved").waitFor();
    await accept(carol, subject);
    await openRow(carol, subject);
    await carol.sees("for a few only");
  },
};

/** The plain sentence beside what was not taken, at once or when the owner's node answered. */
async function refused(window, text) {
  await window.page.locator("#notices, #pending").getByText(text).first().waitFor();
}
