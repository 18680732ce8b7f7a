"""Notes in Flask: `xray run --app notes -- gunicorn --threads 4 notes:app`."""

from flask import Blueprint, Flask, abort

api = Blueprint("api", __name__, url_prefix="/notes")
notes = {number: f"note {number} " * 50 for number in range(100)}


def words(text: str) -> dict[str, int]:
    counted: dict[str, int] = {}
    for word in text.split():
        counted[word] = counted.get(word, 0) + 1
    return counted


@api.get("/<int:number>")
def show(number: int) -> dict[str, int]:
    return words(notes.get(number) or abort(404))


@api.get("/")
def index() -> str:
    return "\n".join(note for note in notes.values() if words(note))


app = Flask(__name__)
app.register_blueprint(api)
