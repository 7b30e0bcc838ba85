import assert from "node:assert/strict";
import { add, row } from "../acts.mjs";

export default {
  "a partner's member is invited by a form, accepts, and is in (P2.1, P2.5)": async ({ stage, open }) => {
    const { id, chat } = await stage.group("Invited by form", stage.alice);
    await stage.alice.write(chat, "before bob came");
    const [alice, bob] = await Promise.all([open(stage.alice), open(stage.bob)]);
    await bob.live("/");
    await alice.live(`/g/${id}/members`);
    await add(alice, stage.bob.address);
    await row(alice, stage.bob.address).getByText("was asked").waitFor();
    await bob.page.locator(".side").getByRole("link", { name: /Invitations/ }).click();
    const asked = bob.page.locator("li", { hasText: "Invited by form" });
    await asked.getByText("alice").first().waitFor();
    assert.equal(await bob.page.getByText("before bob came").count(), 0, "no content before he accepts");
    await asked.getByRole("button", { name: /Accept/ }).click();
    await bob.page.locator(".groups").getByRole("link", { name: "Invited by form" }).waitFor();
    // Alice sees him arrive in the page that she has open, with the badge (P4.1).
    await row(alice, stage.bob.address).getByText("External").waitFor();
    await bob.go(`/t/${chat}`);
    await bob.page.locator("#text").waitFor();
    assert.equal(await bob.page.getByText("before bob came").count(), 0, "from now on, unless said otherwise (P2.6)");
  },

  "an e-mail's link makes a free account, which sees its group and nothing else (P1.2, P3.1)": async ({ stage, open, browser, keep }) => {
    const { Window } = await import("../browser.mjs");
    const { id, chat } = await stage.group("With a freelancer", stage.alice);
    const alice = await open(stage.alice);
    await alice.go(`/g/${id}/members`);
    const address = `jo-${Date.now()}@freelance.example`;
    await add(alice, address);
    await row(alice, address).getByText("has a link").waitFor();
    const { link } = await stage.letter(address);
    const jo = await Window.open(browser, stage.alice);
    keep(jo);
    await jo.go(`/join/${link.split("/join/").pop()}`);
    await jo.sees("With a freelancer");
    await jo.page.getByLabel("Your name").fill("Jo Free");
    await jo.page.getByLabel("A password").fill("a long enough password");
    await jo.page.getByRole("button", { name: "Make the account and accept" }).click();
    await jo.page.locator(".groups").getByRole("link", { name: "With a freelancer" }).waitFor();
    assert.equal(await jo.page.locator(".groups li").count(), 1, "nothing else");
    assert.equal(await jo.page.getByRole("link", { name: "Directory" }).count(), 0);
    await jo.open(chat);
    await alice.open(chat);
    await jo.write("hello from a free account");
    await alice.message("hello from a free account").waitFor();
  },

  "somebody is removed by a click: what he looks at is cut, and the removal's page shows the receipt (P7)": async ({ stage, open }) => {
    const { id, chat } = await stage.group("Cut by a click", stage.alice, stage.bob);
    await stage.alice.write(chat, "the plan to hide");
    const [alice, bob] = await Promise.all([open(stage.alice), open(stage.bob)]);
    await bob.open(chat);
    await bob.sees("the plan to hide");
    bob.expect(/404/);
    // The page that asks her is asked again when he is out, and is there no more.
    alice.expect(/console: .*404.*\/remove\//);
    await alice.go(`/g/${id}/members`);
    await alice.page.getByRole("link", { name: `Remove ${stage.bob.name}` }).click();
    await alice.sees("will read nothing of it any more");
    await alice.page.getByRole("button", { name: "Remove", exact: true }).click();
    await bob.sees("You are no longer in this conversation");
    assert.equal(await bob.page.getByText("the plan to hide").count(), 0);
    await alice.sees("Removed everywhere");
    await alice.sees(/confirmed after \d+ ms/);
    await alice.page.getByRole("link", { name: "Receipt" }).waitFor();
  },

  "badges stand on the member list, the directory and the profile (P4.1)": async ({ stage, open }) => {
    const name = "Badged group";
    const { id } = await stage.group(name, stage.alice, stage.bob);
    const theirs = `Badged at ${stage.bob.workspace.name}`;
    await stage.group(theirs, stage.bob, stage.alice);
    const alice = await open(stage.alice);
    await alice.go(`/g/${id}/members`);
    assert.equal(await row(alice, stage.bob.address).getByText("External", { exact: true }).count(), 1);
    assert.equal(await row(alice, stage.alice.address).getByText("External", { exact: true }).count(), 0);
    await alice.go("/directory?q=Badged");
    const line = (title) => alice.page.locator(".list li", { hasText: title });
    await line(name).getByText("includes people of other workspaces").waitFor();
    await line(theirs).getByText(`owned by ${stage.bob.workspace.name}`).waitFor();
    assert.equal(await alice.page.locator(".list li").getByText("External", { exact: true }).count(), 2);
    await alice.go(`/people/${stage.bob.id}`);
    await alice.sees("External", "main .head");
    await alice.go(`/people/${stage.alice.id}`);
    assert.equal(await alice.page.locator("main").getByText("External", { exact: true }).count(), 0);
  },

  "a thread is started in a group, locked, and found again": async ({ stage, open }) => {
    const { id } = await stage.group("Threads here", stage.alice, stage.bob);
    const [alice, bob] = await Promise.all([open(stage.alice), open(stage.bob)]);
    await bob.live(`/g/${id}`);
    await alice.go(`/new?group=${id}`);
    await alice.page.getByLabel("Subject").fill("The zebra question");
    await alice.page.getByLabel("First message").fill("Which stripes?");
    await alice.page.getByRole("button", { name: "Start" }).click();
    await alice.message("Which stripes?").waitFor();
    await bob.page.getByRole("link", { name: /The zebra question/ }).click();
    await bob.message("Which stripes?").waitFor();
    await alice.page.getByRole("link", { name: "Recipients and settings" }).click();
    await alice.page.getByRole("button", { name: "Lock the recipients" }).click();
    await bob.sees("locked", ".head");
    await bob.go("/search?q=zebra");
    await bob.page.locator("main").getByRole("link", { name: /zebra/ }).first().click();
    await bob.message("Which stripes?").waitFor();
  },
};
