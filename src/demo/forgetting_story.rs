//! When acme forgets: killed after a removal, and restored from a copy made before it (spec 12).
//!
//! Duty: the removed reads nothing again, whoever remembers. Never: a restored state that is not shown to be older.

use anyhow::{Result, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::{
    Stage,
    backup::Restored,
    people_story,
    removal_story::{Place, Removed},
    script::Script,
    story::{pending, reads, sees_nothing, texts, write},
    watch,
};
use crate::{
    cli::person::{Person, text},
    node::clock,
};

const ACME: usize = 0;
const GLOBEX: usize = 1;
const INITECH: usize = 2;

/// Who.
struct Cast {
    alice: Person,
    /// Of globex.
    gina: Person,
    carol: Person,
    /// Of initech.
    ian: Person,
    /// A thread of alice's alone: what is written there after a copy is gone once the copy is back.
    diary: String,
}

/// All of it.
pub(super) async fn play(script: &mut Script, stage: &mut Stage) -> Result<()> {
    let cast = Cast {
        alice: stage.admin(ACME).await?,
        gina: stage.add(GLOBEX, "gina", "Gina").await?,
        carol: stage.admin(INITECH).await?,
        ian: stage.add(INITECH, "ian", "Ian").await?,
        diary: text(&stage.admin(ACME).await?.post("/groups", json!({ "name": "Diary" })).await?, "/chat")?,
    };
    script.step("acme is killed when the removal has returned", killed(stage, &cast)).await?;
    script.step("acme restored; globex had purged", purged(stage, &cast)).await?;
    script.step("acme restored; initech never answers", silent(stage, &cast)).await?;
    script.step("acme's folder restored, its journal kept", journal_kept(stage, &cast)).await
}

impl Cast {
    /// Something that no copy has.
    async fn note(&self) -> Result<()> {
        write(&self.alice, &self.diary, "after the copy").await.map(drop)
    }

    /// The copy is in place: what was noted after it is gone.
    async fn forgot(&self) -> Result<()> {
        let noted = texts(&self.alice.get(&format!("/threads/{}/messages", self.diary)).await?);
        ensure!(noted.is_empty(), "acme was not restored from an older copy: {noted:?}");
        Ok(())
    }

    /// Life goes on without the removed, and everybody holds the same.
    async fn goes_on(&self, place: &Place, out: &[&Person], words: &[&str]) -> Result<()> {
        for viewer in [&self.alice, &self.carol] {
            reads(viewer, &place.chat, words).await?;
            let members = place.members(viewer).await?;
            ensure!(members.contains(&self.carol.id), "{} misses carol: {members:?}", viewer.address);
            let back = out.iter().find(|person| members.contains(&person.id));
            ensure!(back.is_none(), "{} sees {back:?} again", viewer.address);
        }
        Ok(())
    }
}

/// No copy, only the crash.
async fn killed(stage: &mut Stage, cast: &Cast) -> Result<((), String)> {
    let Cast { alice, gina, .. } = cast;
    let place = Place::make(alice, "Killed", &[gina], "before the crash").await?;
    let removed = Removed::by(alice, &place, gina).await?;
    stage.kill(ACME).await?;
    stage.start(ACME).await?;
    ensure!(!place.members(alice).await?.contains(&gina.id), "gina is a member again");
    removed.confirmed(alice).await?;
    let (_, seen) = watch::while_looking(gina, &place.ways(), std::future::ready(Ok(()))).await?;
    watch::never_read(&seen)?;
    Ok(((), "out at acme at its first answer; globex confirmed".into()))
}

/// Globex keeps the event of the removal though it has deleted all else; a new removal follows the restore.
async fn purged(stage: &mut Stage, cast: &Cast) -> Result<((), String)> {
    let Cast { alice, gina, carol, ian, .. } = cast;
    let place = Place::make(alice, "Purged", &[gina, carol, ian], "one").await?;
    let copy = stage.save(ACME).await?;
    reads(gina, &place.chat, &["one"]).await?;
    cast.note().await?;
    Removed::by(alice, &place, gina).await?.confirmed(alice).await?;
    let work = async {
        stage.restore(ACME, &copy, Restored::All).await?;
        cast.forgot().await?;
        let (removed, _) = watch::patiently(alice, Method::DELETE, &place.member(ian)).await?;
        ensure!(removed.get("epoch").is_some_and(Value::is_u64), "the new removal: {removed}");
        ian.until("/groups", |groups| !groups.to_string().contains(&place.group)).await?;
        sees_nothing(ian, &format!("/threads/{}/messages", place.chat)).await?;
        write(alice, &place.chat, "two").await?;
        cast.goes_on(&place, &[gina, ian], &["one", "two"]).await?;
        watch::until(clock::now().plus(watch::SLACK)).await;
        Ok(())
    };
    let ((), seen) = watch::while_looking(gina, &place.ways(), work).await?;
    let looks = watch::never_read(&seen)?;
    Ok(((), format!("gina read nothing in {looks} looks; a new removal, of ian, took effect too")))
}

/// Initech's process is stopped: after 10 s acme goes on in a new incarnation, which initech finds when it is back.
async fn silent(stage: &mut Stage, cast: &Cast) -> Result<((), String)> {
    let Cast { alice, gina, carol, .. } = cast;
    let place = Place::make(alice, "Silent", &[gina, carol], "one").await?;
    let copy = stage.save(ACME).await?;
    reads(gina, &place.chat, &["one"]).await?;
    cast.note().await?;
    Removed::by(alice, &place, gina).await?.confirmed(alice).await?;
    stage.at(INITECH)?.freeze().await?;
    let work = async {
        stage.restore(ACME, &copy, Restored::All).await?;
        cast.forgot().await?;
        pending(alice, &place.chat, "during the check").await?;
        reads(alice, &place.chat, &["one", "during the check"]).await?;
        ensure!(!place.members(alice).await?.contains(&gina.id), "gina is a member again");
        let lines = alice.get(&format!("/audit?act=scope.incarnated&scope={}", place.chat)).await?;
        ensure!(lines.pointer("/lines/0").is_some(), "no new incarnation: {lines}");
        stage.at(INITECH)?.thaw()?;
        cast.goes_on(&place, &[gina], &["one", "during the check"]).await?;
        write(carol, &place.chat, "here again").await?;
        cast.goes_on(&place, &[gina], &["one", "during the check", "here again"]).await
    };
    let ((), seen) = watch::while_looking(gina, &place.ways(), work).await?;
    let looks = watch::never_read(&seen)?;
    let detail =
        format!("an own post waited and came in a new incarnation; gina read nothing in {looks} looks");
    Ok(((), detail))
}

/// No partner can remember: the removed has a free account at acme itself, and its realm is set back with it.
async fn journal_kept(stage: &mut Stage, cast: &Cast) -> Result<((), String)> {
    let Cast { alice, .. } = cast;
    let place = Place::make(alice, "Journal", &[], "zero").await?;
    let fay =
        &people_story::free_person(alice, &stage.catcher, &place.group, "fay@freelance.example").await?;
    write(alice, &place.chat, "one").await?;
    let copy = stage.save(ACME).await?;
    fay.until(&format!("/threads/{}/messages", place.chat), |page| {
        texts(page).last().is_some_and(|last| last == "one")
    })
    .await?;
    cast.note().await?;
    write(alice, &place.chat, "two").await?;
    watch::patiently(alice, Method::DELETE, &place.member(fay)).await?;
    stage.restore(ACME, &copy, Restored::FolderOnly).await?;
    let first = watch::look(fay, &format!("/threads/{}/messages", place.chat)).await?;
    // Set back, her own home holds no lease yet: it shows nothing, and cannot know why.
    ensure!(matches!(first.status, 404 | 503), "the first answer to fay: {first:?}");
    cast.forgot().await?;
    reads(alice, &place.chat, &["zero", "one"]).await?;
    ensure!(!place.members(alice).await?.contains(&fay.id), "fay is a member again");
    fay.until("/groups", |groups| !groups.to_string().contains(&place.group)).await?;
    sees_nothing(fay, &format!("/threads/{}/messages", place.chat)).await?;
    let (_, seen) = watch::while_looking(fay, &place.ways(), std::future::ready(Ok(()))).await?;
    watch::never_read(&seen)?;
    let detail = "a free account in a group that no partner follows, its realm set back too";
    Ok(((), detail.into()))
}
