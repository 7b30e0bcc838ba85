import assert from "node:assert/strict";

export default {
  "a conversation disappears from a screen the moment its reader is removed (P7.3)": async ({ stage, open }) => {
    const { id, chat } = await stage.group("Cut", stage.alice, stage.bob);
    await stage.alice.write(chat, "the secret plan");
    const bob = await open(stage.bob);
    await bob.open(chat);
    await bob.sees("the secret plan");
    bob.expect(/404/);
    await stage.alice.ask("DELETE", `/groups/${id}/members/${stage.bob.id}`);
    await bob.sees("You are no longer in this conversation");
    assert.equal(await bob.page.getByText("the secret plan").count(), 0);
    await bob.loses("Cut", ".groups");
    assert.doesNotMatch(await bob.page.title(), /Cut/);
    // Nothing comes back out of the browser.
    await bob.go("/?view=all");
    assert.equal(await bob.page.getByText("the secret plan").count(), 0);
    await bob.page.goBack();
    await bob.sees("There is nothing here");
    assert.equal(await bob.page.getByText("the secret plan").count(), 0);
    await bob.page.goForward();
    assert.equal(await bob.page.getByText("Cut", { exact: true }).count(), 0);
  },

  "the inbox loses its row while it is looked at": async ({ stage, open }) => {
    const { id, chat } = await stage.group("Row to go", stage.alice, stage.bob);
    await stage.alice.write(chat, "soon gone");
    const bob = await open(stage.bob);
    const live = bob.page.waitForResponse((answer) => new URL(answer.url()).pathname === "/live");
    await bob.go("/?view=all");
    await live;
    await bob.sees("soon gone");
    await stage.alice.ask("DELETE", `/groups/${id}/members/${stage.bob.id}`);
    await bob.loses("soon gone");
    await bob.loses("Row to go", ".side");
  },
};
