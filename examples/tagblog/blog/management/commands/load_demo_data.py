"""``manage.py load_demo_data``: fill the database, the same rows on every machine."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from django.utils.text import slugify

from blog.models import Author, Comment, Post, Tag

AUTHORS, TAGS, POSTS, COMMENTS = 60, 90, 3000, 15000
TAGS_PER_POST = (2, 5)
FIRST_DAY = datetime(2009, 5, 1, 8, 30, tzinfo=UTC)

SYLLABLES = (
    "al an ar ba ben cor da del dor en er fa gal hin il ka kel la lin lo mar mi na nor or pa ra rin sa sel ta tor u va "
    "ven wi"
).split()
FIRST_NAMES = (
    "Ada Alan Barbara Dennis Donald Edsger Frances Grace Guido Jean John Katherine Ken Margaret Niklaus Radia".split()
)
LAST_NAMES = "Allen Bartik Brown Clarke Evans Hall Hill King Knight Lamb Moore Perry Reed Shaw Stone Wood Young".split()
#: The tags that the documentation and the load generator use by name; the others are made up.
KNOWN_TAGS = "django python sqlite testing templates profiling deployment gunicorn performance caching".split()


class Words:
    """Made-up words and sentences from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.vocabulary = [self._word() for _ in range(4000)]

    def _word(self) -> str:
        return "".join(self.random.choices(SYLLABLES, k=self.random.randint(2, 4)))

    def words(self, count: int) -> list[str]:
        return self.random.choices(self.vocabulary, k=count)

    def title(self) -> str:
        return " ".join(self.words(self.random.randint(3, 6))).capitalize()

    def sentence(self) -> str:
        return " ".join(self.words(self.random.randint(6, 14))).capitalize() + "."

    def text(self, paragraphs: int) -> str:
        return "\n\n".join(" ".join(self.sentence() for _ in range(5)) for _ in range(paragraphs))


class Command(BaseCommand):
    """Fill the database."""

    help = "Fill the database with the same posts, tags, authors and comments on every machine."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=2013)

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        for model in (Comment, Post.tags.through, Post, Tag, Author):
            model.objects.all().delete()
        words = Words(options["seed"])
        authors = self.make_authors(words)
        tags = self.make_tags(words)
        posts = self.make_posts(words, authors)
        self.file_posts(words, posts, tags)
        self.make_comments(words, posts, authors)
        self.stdout.write(f"{len(posts)} posts, {len(tags)} tags, {len(authors)} authors, {COMMENTS} comments")

    def make_authors(self, words: Words) -> list[Author]:
        names = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
        chosen = words.random.sample(names, AUTHORS)
        return Author.objects.bulk_create(
            Author(pk=pk, name=name, email=f"{slugify(name)}@example.org", bio=words.text(1))
            for pk, name in enumerate(chosen, 1)
        )

    def make_tags(self, words: Words) -> list[Tag]:
        made_up = sorted(set(words.vocabulary[:400]) - set(KNOWN_TAGS))
        names = KNOWN_TAGS + words.random.sample(made_up, TAGS - len(KNOWN_TAGS))
        return Tag.objects.bulk_create(Tag(pk=pk, name=name, slug=name) for pk, name in enumerate(names, 1))

    def make_posts(self, words: Words, authors: list[Author]) -> list[Post]:
        posts = []
        for pk in range(1, POSTS + 1):
            title = words.title()
            posts.append(
                Post(
                    pk=pk,
                    title=title,
                    slug=f"{slugify(title)}-{pk}",
                    summary=" ".join(words.sentence() for _ in range(3))[:400],
                    body=words.text(words.random.randint(2, 5)),
                    author=words.random.choice(authors),
                    published_at=FIRST_DAY + timedelta(hours=36 * pk, minutes=words.random.randint(0, 600)),
                )
            )
        return Post.objects.bulk_create(posts, batch_size=500)

    def file_posts(self, words: Words, posts: list[Post], tags: list[Tag]) -> None:
        through = Post.tags.through
        links = [
            through(post_id=post.pk, tag_id=tag.pk)
            for post in posts
            for tag in words.random.sample(tags, words.random.randint(*TAGS_PER_POST))
        ]
        through.objects.bulk_create(links, batch_size=2000)

    def make_comments(self, words: Words, posts: list[Post], authors: list[Author]) -> None:
        comments = []
        for pk in range(1, COMMENTS + 1):
            post = words.random.choice(posts)
            written_at = post.published_at + timedelta(minutes=words.random.randint(5, 20000))
            author = words.random.choice(authors)
            comments.append(Comment(pk=pk, post=post, author=author, text=words.sentence(), written_at=written_at))
        Comment.objects.bulk_create(comments, batch_size=2000)
