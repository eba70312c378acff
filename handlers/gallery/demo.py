"""The demo gallery: who is in it, what they made, and what they said about it.

All of it follows from one seed, ids included, so that loading it again finds everything in place.
It is loaded by the store code that real traffic takes: counters, journal and notifications are right.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from handlers.gallery.art import avatar, picture
from store.gallery import Gallery
from store.gallery.assets import NewAsset
from store.gallery.comments import Write
from store.gallery.follows import Follow
from store.gallery.likes import Like
from store.gallery.posts import NewPost
from store.gallery.reports import NewReport
from store.gallery.shapes import AssetType, ReportReason
from store.identity import Claimed, Identity
from store.refusal import Refusal
from store.viewer import Viewer

T = TypeVar("T")

SEED = 1884
BATCH = 200
"""Likes, follows and comments that are written in one transaction."""

BEGIN = 1_790_000_000_000
"""The demo's ids are UUIDv7 from this millisecond on (September 2026)."""


@dataclass(frozen=True, slots=True)
class Person:
    """A demo user. `name` is the `sub` of their tokens, `role` what these say of them."""

    name: str
    display_name: str
    tier: str = "free"
    role: str = "user"

    @property
    def avatar_url(self) -> str:
        return f"/media/avatars/{self.name}.svg"


@dataclass(frozen=True, slots=True)
class Work:
    """An asset, and the post that shares it; `post_id` is None where it was never shared."""

    asset_id: UUID
    by: str
    asset_type: AssetType
    title: str
    prompt: str | None
    post_id: UUID | None
    description: str | None
    tags: tuple[str, ...]
    show_prompt: bool
    inspired_by: UUID | None


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment to be made."""

    id: UUID
    post_id: UUID
    by: str
    content: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """A report to be made, for the demo's moderators to look at."""

    id: UUID
    post_id: UUID
    by: str
    reason: ReportReason
    details: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that makes the demo gallery, each list in the order in which it happens.

    `likes` are (post, name), `follows` (follower, followed), both by the names of PEOPLE.
    """

    works: Sequence[Work]
    follows: Sequence[tuple[str, str]]
    likes: Sequence[tuple[UUID, str]]
    remarks: Sequence[Remark]
    featured: Sequence[UUID]
    complaints: Sequence[Complaint]


PEOPLE = (
    Person("ada", "Ada Lindqvist", "pro"),
    Person("bob", "Bob Okafor"),
    Person("carla", "Carla Mendes", "pro"),
    Person("dev", "Dev Raman"),
    Person("edith", "Edith Brandt"),
    Person("farid", "Farid Haddad", "studio"),
    Person("greta", "Greta Olsen"),
    Person("hana", "Hana Sato", "pro"),
    Person("iris", "Iris Papadaki"),
    Person("jonas", "Jonas Weber"),
    Person("kofi", "Kofi Mensah", "pro"),
    Person("lena", "Lena Kowalska"),
    Person("milo", "Milo Duarte"),
    Person("nadia", "Nadia Petrova", "studio"),
    Person("otis", "Otis Freeman"),
    Person("priya", "Priya Nair", "pro"),
    Person("quinn", "Quinn Abernathy"),
    Person("rosa", "Rosa Iglesias"),
    Person("sven", "Sven Halvorsen"),
    Person("tala", "Tala Reyes"),
    Person("umar", "Umar Siddiqui"),
    Person("vera", "Véra Novák", "pro", role="moderator"),
    Person("wes", "Wes Tanaka"),
    Person("xenia", "Xenia Moreau"),
    Person("yusuf", "Yusuf Demir"),
    Person("zoe", "Zoë van Dijk", "pro"),
    Person("pixelmoth", "pixelmoth", "studio"),
    Person("lowpolly", "Low Polly"),
    Person("tinrobot", "tin robot"),
    Person("marmalade", "Marmalade Ghost"),
)

TITLES: dict[AssetType, tuple[str, ...]] = {
    "twitch_emote": (
        "Sleepy gremlin", "Hype bear", "GG, but sad", "Heart eyes, obviously", "Wink of doom",
        "No thoughts", "Raid face", "Tiny menace", "Crying at 3 fps", "Comfy", "Lurker",
        "Big brain today", "Chat said what", "Royal approval", "Oh no, ads", "Nervous laughter",
        "First try", "Hydrate!", "Mondays", "Snack time", "Pog but polite", "Lag", "Bonk, gently",
        "Cosy hat", "Suspicious", "Love this for you", "Good night, chat", "Clip it",
        "Technically correct", "Gremlin hours", "Sorry, was muted", "Bless", "One more run",
        "Beanie season", "Unbothered", "Welcome in", "The face you make", "Small applause",
        "Did we win?", "Blushing cube", "Rage, 2 %", "Bunny of patience", "Alien, friendly",
        "Star struck", "Side eye", "Cat, allegedly", "Antenna joy", "Sub hype, quietly",
    ),
    "youtube_thumbnail": (
        "I tried every ending", "100 days on one island", "Painting with 4 colours",
        "The worst keyboard", "A week without mouse", "Tiny desk, big setup", "Speedrun for dads",
        "Fonts, ranked", "We rebuilt the lobby", "No HUD, no map", "My first game jam",
        "Bread, but pixel art", "Budget mic shootout", "Is this level fair?", "Night drive mix",
        "Low poly forest", "Drawing your OCs", "The 3 a.m. build", "Shaders for cowards",
        "Every boss, one hit", "How I lost the file", "Studio tour 2026", "Cosy games only",
        "Lo-fi from scratch", "What chat built", "An honest review", "Learning Blender, day 1",
        "Rain sounds, 2 hours", "Sketchbook tour", "Can bots enjoy tea?", "Map making basics",
        "Farming sim diary", "Glass, explained", "Retro TV repair", "Ink week", "One brush only",
    ),
    "twitch_banner": (
        "Dunes at seven", "Bottles, after Morandi", "Arcade arches", "Night shift", "Meadow static",
        "Ribbon weather", "Terrazzo floor", "Quilt for a channel", "Sea scales", "Sunday skyline",
        "Orbit study", "Long wave", "Suprematist Saturday", "Pulse", "Wallflower", "Fruit, waiting",
        "Doors to elsewhere", "Late train home", "Soft geometry", "Tides", "Harbour lights",
        "Field notes", "Kitchen table", "Colour test no. 9", "Slow hills", "Window seat",
    ),
    "twitch_badge": (
        "Founder", "One year", "Night owl", "Mod shield", "First spark", "Gem tier", "Crowned",
        "Ten raids", "Kind heart", "Storm chaser", "Moonlighter", "Gold, nearly", "Iron patience",
        "Ember", "Lucky star", "Regular", "Clip hunter", "Puzzle solver", "Sub, six months",
        "Bug finder", "Early bird", "Tea drinker", "Good sport", "Helper",
    ),
    "overlay": (
        "Late night coding", "Just chatting, softly", "Boss rush layout", "Drawing table",
        "Two chairs interview", "Speedrun splits", "Cosy Friday", "Retro hour", "Chess corner",
        "Music room", "Cooking with chat", "Tournament day", "Pixel diner", "Rainy desk",
        "Minimal, with red", "Book club", "Starting soon-ish", "Big chat, small game",
        "Speedpaint layout", "Garden stream", "Charity marathon", "Duo queue", "Studio B",
        "Quiet mode",
    ),
    "twitch_panel": (
        "About me", "Schedule", "Rules", "Tip jar", "My setup", "Commissions", "Links", "FAQ",
        "Friends", "Playlist", "Merch", "Community", "Thanks", "Music I use", "Art gallery",
        "House rules", "Emote list", "Contact", "Currently playing", "Wall of fame",
    ),
    "twitch_offline": (
        "Gone to look at hills", "Asleep, probably", "Back on Thursday", "Out for bread",
        "Touching grass", "Between seasons", "Holiday mode", "Cat is in charge", "Nothing to see",
        "See you on Sunday", "On a train", "Lights off", "Charging", "Do not disturb", "The void",
        "Rendering …", "Out of office", "Tea break", "New season soon", "Resting eyes",
        "Rain delay", "Moving house",
    ),
}  # fmt: skip

DESCRIPTIONS = {
    "twitch_emote": (
        "Reads well at 28 px, I checked on an old phone.",
        "For when the raid arrives and you are mid-sandwich.",
        "Drawn for a friend's channel. Use it if it makes you laugh.",
        "Version four. The first three looked like potatoes.",
        "Animated one is coming, this is the still.",
    ),
    "youtube_thumbnail": (
        "Left the corner free for the time stamp.",
        "Trying bigger letters and fewer arrows. No shocked face anywhere.",
        "Tested against two others; this one did 40 % better.",
        "Made in twenty minutes because the upload was already late.",
        "Three colours and a promise.",
    ),
    "twitch_banner": (
        "Safe area is the middle third, so crop away.",
        "Part of a set of six. The others follow over the week.",
        "Painted from the view out of the studio, more or less.",
        "I wanted something that does not shout.",
        "A study in not adding one more thing.",
    ),
    "twitch_badge": (
        "18, 36 and 72 px, same silhouette.",
        "Tier two of five. The rim gets brighter as you go.",
        "Stays readable next to long names in chat.",
        "Traced from a coin I found at a flea market.",
    ),
    "overlay": (
        "1080p, camera on the side, chat where the eyes already are.",
        "Everything is on one grid of 20 px. It calms me.",
        "The strip at the bottom takes the song title.",
        "Made for a small camera and a large game.",
        "Works for art streams as well: swap the windows.",
    ),
    "twitch_panel": (
        "Part of a set; tell me which headings are missing.",
        "Looks best at 320 px wide, as they all do.",
        "Same palette as my banner, so the page holds together.",
    ),
    "twitch_offline": (
        "For the quiet days.",
        "I like an offline screen that does not beg.",
        "Change the words, keep the hills.",
        "Comes with a version without text, just ask.",
    ),
}

PROMPTS = (
    "flat shapes, warm palette, thick outlines, no gradients",
    "mid-century poster, four colours, a lot of empty wall",
    "cut paper, slightly misaligned, evening light",
    "a friendly creature with one strong emotion, sticker style",
    "geometric still life, bottles and fruit, muted tones",
    "night city from far away, windows lit at random",
    "bauhaus tiles, quarter circles, one accent colour",
    "slow waves, seen from above, print texture",
    "field of pressed flowers, symmetrical leaves",
    "ink lines like a seismograph, dark paper",
)

TAGS = {
    "twitch_emote": ("emote", "cute", "creature", "chat", "reaction", "sticker"),
    "youtube_thumbnail": ("thumbnail", "typography", "bold", "video", "poster"),
    "twitch_banner": ("banner", "abstract", "landscape", "minimal", "still-life"),
    "twitch_badge": ("badge", "icon", "loyalty", "gold", "tiny"),
    "overlay": ("overlay", "layout", "1080p", "obs", "cosy"),
    "twitch_panel": ("panel", "set", "header", "profile"),
    "twitch_offline": ("offline", "calm", "loop", "night"),
}
MORE_TAGS = ("wip", "free-to-use", "commission", "retro", "flat", "colour-study", "night", "spring")

REMARKS = (
    "This made my morning.", "The colours!", "How long did this take you?", "Instant favourite.",
    "Okay, I need this in my life.", "That red is perfect.", "Would you take a commission?",
    "Looks great on a dark theme too, just tried.", "The spacing is so calm.",
    "I keep coming back to this one.", "More of these, please.", "Saved for inspiration.",
    "My chat is going to love this.", "Simple and it just works.", "You always find the right palette.",
    "Is there a version with more contrast?", "Very nice. What did you draw it in?",
    "Reminds me of old train posters.", "I laughed out loud.", "The little details in the corner, wow.",
    "Please tell me this is part of a set.", "Stole the idea with the stripe, hope that's fine :)",
    "Honestly better than mine.", "The left half is stronger than the right, but I'd still hang it.",
    "Could you share the hex codes?", "Seen it in the wild yesterday!", "This is so cosy.",
    "My daughter says it needs a cat. I disagree. Slightly.", "Lovely balance.",
    "The best thing in the feed today.", "I'd make the outline a touch thinner, otherwise spot on.",
    "Used it on stream last night, people asked where it's from.", "Five stars.",
    "It has a mood, I like things with a mood.", "How do you stop? I always add one thing too many.",
    "Oh, that is clever.", "Perfect size for my layout.", "Wallpaper, when?",
    "I would buy this as a print.", "The palette feels like October.", "Brave choice, and it works.",
    "Good one. The previous was good too, by the way.", "Hm, is it me or is it moving?",
    "You should do a whole season of these.", "Never thought green would work there.",
    "Thanks for leaving the prompt visible, learned something.", "+1", "Ha!", "So good.",
    "What a nice surprise between all the neon.", "Following for more of this.",
    "Tried it at 50 % opacity: magic.", "The typography is doing a lot of work here, in a good way.",
    "Didn't expect to feel calm today, thank you.", "Looks like my grandmother's kitchen floor. High praise.",
    "Is the font your own?", "Two thumbs up from the night shift.", "This deserves more dots.",
)  # fmt: skip

ANSWERS = (
    "Thank you!", "Thanks, that means a lot.", "About two evenings, and one I threw away.",
    "It is part of a set, the rest comes this week.", "Go ahead, that's what it is here for.",
    "Good point, I'll try that in the next one.", "Yes! Write to me.", "Ha, fair.",
    "Drawn by hand first, then cleaned up.", "Your comment made mine, so we're even.",
)  # fmt: skip

COMPLAINTS: tuple[tuple[ReportReason, str | None], ...] = (
    ("copyright", "The cat is from a picture book. I have it here, page 12."),
    ("spam", "The third one with the same words this week."),
    ("other", "Wrong type: this is a banner and no overlay."),
    ("inappropriate", None),
)

FEATURED_AT_ONCE = 8


async def load(
    identity: Identity, gallery: Gallery, *, media: Path, user_id: Callable[[str], UUID]
) -> None:
    """Hang the demo gallery; whatever of it is there already stays as it is.

    Pictures go to the folder `media`, which is served as `/media/`. `user_id` gives the id of the user
    whose tokens carry that name.
    """
    demo = plan()
    await asyncio.to_thread(_draw, demo.works, media)
    ids = {person.name: user_id(person.name) for person in PEOPLE}
    await identity.users.recognize([_claimed(person, ids[person.name]) for person in PEOPLE])
    _accepted(await gallery.assets.create([_asset(work, ids[work.by]) for work in demo.works]))
    for work in demo.works:  # one by one: a work may be inspired by the one before it
        if work.post_id is not None:
            _accepted(await gallery.posts.create([_post(work, work.post_id, ids[work.by])]))
    for follows in _batches(demo.follows):
        wanted = [Follow(ids[followed], Viewer(ids[name]), True) for name, followed in follows]
        _accepted(await gallery.follows.settle(wanted))
    for likes in _batches(demo.likes):
        dots = [Like(post_id, Viewer(ids[name]), True) for post_id, name in likes]
        _accepted(await gallery.likes.settle(dots))
    for remarks in _batches(demo.remarks):
        said = [Write(Viewer(ids[one.by]), one.post_id, one.content, one.id) for one in remarks]
        _accepted(await gallery.comments.settle(said))
    curator = Viewer(ids[next(one.name for one in PEOPLE if one.role == "moderator")], True)
    for post_id in demo.featured:
        await gallery.moderation.feature(post_id, curator, featured=True)
    for one in demo.complaints:
        by = Viewer(ids[one.by])
        await gallery.reports.make(NewReport(one.id, one.post_id, by, one.reason, one.details))


def _draw(works: Sequence[Work], media: Path) -> None:
    """Put every picture into the folder, anew where it is not what would be drawn."""
    (media / "avatars").mkdir(parents=True, exist_ok=True)
    pictures = {media / "avatars" / f"{one.name}.svg": avatar(one.name) for one in PEOPLE}
    for work in works:
        drawing = picture(str(work.asset_id), work.asset_type, work.title)
        pictures[media / f"{work.asset_id}.svg"] = drawing
    for path, drawing in pictures.items():
        if not path.exists() or path.read_text("utf-8") != drawing:
            path.write_text(drawing, "utf-8")


def _claimed(person: Person, user_id: UUID) -> Claimed:
    return Claimed(
        user_id,
        person.name,
        name=person.display_name,
        picture=person.avatar_url,
        tier=person.tier,
        issued_at=datetime.now(UTC),
    )


def _asset(work: Work, user_id: UUID) -> NewAsset:
    url = f"/media/{work.asset_id}.svg"
    return NewAsset(work.asset_id, user_id, work.asset_type, url, work.prompt)


def _post(work: Work, post_id: UUID, user_id: UUID) -> NewPost:
    return NewPost(
        id=post_id,
        by=Viewer(user_id),
        asset_id=work.asset_id,
        title=work.title,
        description=work.description,
        tags=work.tags,
        show_prompt=work.show_prompt,
        inspired_by_post_id=work.inspired_by,
    )


def _accepted(answers: Sequence[Any]) -> None:
    """Raise what was refused, except that a thing of the demo has been changed or deleted since."""
    for answer in answers:
        if isinstance(answer, Refusal) and answer.code != "IDEMPOTENCY_CONFLICT":
            raise answer


def _batches(things: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), BATCH):
        yield things[start : start + BATCH]


def identifier(kind: str, number: int) -> UUID:
    """A UUIDv7 (RFC 9562) that is the same in every demo gallery; a minute apart, in order of `number`."""
    chance = hashlib.blake2b(f"{SEED}:{kind}:{number}".encode(), digest_size=10).digest()
    raw = (BEGIN + number * 60_000).to_bytes(6, "big") + chance
    value = int.from_bytes(raw, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def plan() -> Plan:
    """The whole demo gallery, as things to be done."""
    chance = random.Random(SEED)  # noqa: S311 (chance for variety, not for secrets)
    works = _works(chance)
    posts = [(work.post_id, work.by) for work in works if work.post_id is not None]
    follows, likes = _follows(chance), _likes(chance, posts)
    remarks = _remarks(chance, posts)
    return Plan(works, follows, likes, remarks, _featured(works, likes), _complaints(chance, posts))


def _works(chance: random.Random) -> list[Work]:
    subjects = [(kind, title) for kind, titles in TITLES.items() for title in titles]
    chance.shuffle(subjects)
    works: list[Work] = []
    shared: list[UUID] = []
    for number, (kind, title) in enumerate(subjects):
        post_id = identifier("post", number) if chance.random() < 0.94 else None
        own, general = chance.sample(TAGS[kind], 2), chance.sample(MORE_TAGS, 2)
        works.append(
            Work(
                asset_id=identifier("asset", number),
                by=_busy(chance).name,
                asset_type=kind,
                title=title,
                prompt=chance.choice(PROMPTS) if chance.random() < 0.7 else None,
                post_id=post_id,
                description=chance.choice(DESCRIPTIONS[kind]) if chance.random() < 0.75 else None,
                tags=tuple(dict.fromkeys([*own, *general]))[: chance.randint(1, 4)],
                show_prompt=chance.random() < 0.8,
                inspired_by=chance.choice(shared) if shared and chance.random() < 0.08 else None,
            )
        )
        if post_id is not None:
            shared.append(post_id)
    return works


def _follows(chance: random.Random) -> list[tuple[str, str]]:
    pairs = {
        (follower.name, followed.name): None
        for follower in PEOPLE
        for followed in (_busy(chance) for _ in range(chance.randint(3, 14)))
        if follower != followed
    }
    return list(pairs)


def _likes(chance: random.Random, posts: Sequence[tuple[UUID, str]]) -> list[tuple[UUID, str]]:
    likes = []
    for post_id, by in posts:
        appeal = chance.betavariate(1.1, 2.2)
        likes += [
            (post_id, person.name)
            for person in PEOPLE
            if person.name != by and chance.random() < appeal
        ]
    chance.shuffle(likes)
    return likes


def _remarks(chance: random.Random, posts: Sequence[tuple[UUID, str]]) -> list[Remark]:
    said = []
    for post_id, by in posts:
        others = [person.name for person in PEOPLE if person.name != by]
        many = min(int(chance.expovariate(0.32)), 24)
        texts = chance.sample(REMARKS, many)
        for nth, text in enumerate(texts):
            said.append((nth, post_id, chance.choice(others), text))
            if chance.random() < 0.18:
                said.append((nth, post_id, by, chance.choice(ANSWERS)))
    said.sort(key=lambda remark: remark[0])  # rounds through the gallery, not post by post
    return [
        Remark(identifier("comment", number), post_id, by, text)
        for number, (_, post_id, by, text) in enumerate(said)
    ]


def _featured(works: Sequence[Work], likes: Sequence[tuple[UUID, str]]) -> list[UUID]:
    """What the curator hangs first: the most liked work of each type, and the most liked of the rest."""
    dots = Counter(post_id for post_id, _ in likes)
    shown = [(work.post_id, work.asset_type) for work in works if work.post_id is not None]
    shown.sort(key=lambda each: -dots[each[0]])
    of_types = {kind: post_id for post_id, kind in reversed(shown)}
    best = dict.fromkeys([*of_types.values(), *(post_id for post_id, _ in shown)])
    return list(best)[:FEATURED_AT_ONCE]


def _complaints(chance: random.Random, posts: Sequence[tuple[UUID, str]]) -> list[Complaint]:
    made = []
    for number, (post_id, by) in enumerate(chance.sample(posts, len(COMPLAINTS))):
        others = [person.name for person in PEOPLE if person.name != by]
        reason, details = COMPLAINTS[number]
        reporter = chance.choice(others)
        made.append(Complaint(identifier("report", number), post_id, reporter, reason, details))
    return made


def _busy(chance: random.Random) -> Person:
    """Somebody; those early in PEOPLE more often."""
    return PEOPLE[int(len(PEOPLE) * chance.random() ** 1.7)]
