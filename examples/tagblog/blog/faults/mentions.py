"""Fault 2, a slow query: every text is searched for every word, and no index can help."""

from django.db import connection

from blog.models import Tag

STATEMENT = """
    SELECT mentioned.name, COUNT(*) AS posts
    FROM blog_post AS post
    JOIN blog_tag AS mentioned ON post.body LIKE '%%' || mentioned.name || '%%'
    WHERE post.body LIKE '%%' || %s || '%%' AND mentioned.id < 9
    GROUP BY mentioned.name
    ORDER BY posts DESC, mentioned.name
"""


def mentioned_beside(tag: Tag) -> list[str]:
    """Tags that are mentioned in texts that mention ``tag``."""
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, [tag.name[:2]])
        return [f"{name}: {posts}" for name, posts in cursor.fetchall()]
