"""What the blog stores."""

from django.db import models
from django.urls import reverse


class Author(models.Model):
    """Someone who writes posts or comments."""

    name = models.CharField(max_length=80)
    email = models.EmailField(unique=True)
    bio = models.TextField(blank=True)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("author-detail", kwargs={"pk": self.pk})


class Tag(models.Model):
    """A word that posts are filed under."""

    name = models.CharField(max_length=40, unique=True)
    slug = models.SlugField(max_length=40, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("tag-detail", kwargs={"tag": self.slug})


class PostQuerySet(models.QuerySet["Post"]):
    """Queries that several pages share."""

    def for_listing(self) -> "PostQuerySet":
        """All that a card of a listing shows, in a fixed number of statements."""
        return self.select_related("author").prefetch_related("tags")

    def with_comment_count(self) -> "PostQuerySet":
        """Adds ``comment_count``."""
        return self.annotate(comment_count=models.Count("comments", distinct=True))


class Post(models.Model):
    """An article."""

    title = models.CharField(max_length=160)
    slug = models.SlugField(max_length=160, unique=True)
    summary = models.CharField(max_length=400)
    body = models.TextField()
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="posts")
    tags = models.ManyToManyField(Tag, related_name="posts")
    published_at = models.DateTimeField(db_index=True)

    objects = PostQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at", "-pk"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("post-detail", kwargs={"slug": self.slug})


class Comment(models.Model):
    """What a reader says about a post."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="comments")
    text = models.CharField(max_length=400)
    written_at = models.DateTimeField()

    class Meta:
        ordering = ["written_at", "pk"]

    def __str__(self) -> str:
        return f"{self.author_id} on {self.post_id}"
