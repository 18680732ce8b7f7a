"""A Flask application: blueprints in one another, classes, async views, another application below it."""

from flask import Blueprint, Flask, Response, abort, stream_with_context
from flask.views import MethodView, View
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

app = Flask(__name__)


@app.get("/")
def home():
    return "home"


@app.route("/tags/<tag>/", methods=["GET", "PUT"], endpoint="tag_detail")
def tag(tag):
    return f"tag {tag}"


@app.get("/years/<int:year>/<path:rest>")
def year(year, rest):
    return f"{year} {rest}"


@app.get("/async/<name>")
async def asynchronous(name):
    return name


@app.get("/fails")
def fails():
    raise LookupError("a secret")


@app.get("/missing")
def missing():
    abort(404)


@app.get("/streams")
def streams():
    return Response(stream_with_context(f"part {number} " for number in range(3)))


@app.get("/asks-itself")
def asks_itself():
    return app.test_client().get("/tags/inside/").data


class Page(MethodView):
    def get(self, number):
        return f"page {number}"


class Listing(View):
    def dispatch_request(self):
        return "listing"


app.add_url_rule("/pages/<int:number>", view_func=Page.as_view("page"))
app.add_url_rule("/listing", view_func=Listing.as_view("listing"))

inner = Blueprint("inner", __name__, url_prefix="/inner")


@inner.get("/<name>")
def named(name):
    return name


@inner.errorhandler(404)
def not_here(error):
    return "not here", 404


shop = Blueprint("shop", __name__, url_prefix="/shop")


@shop.get("/")
def shop_home():
    return "shop"


shop.register_blueprint(inner)
app.register_blueprint(shop)

admin = Flask("admin")


@admin.get("/users/<user>")
def user(user):
    return user


#: Two applications as one.
both = ProxyFix(DispatcherMiddleware(app, {"/admin": admin}))


class ByCustomer:
    """Takes the customer off the path, as the documentation of Flask does: no such prefix may be in a name."""

    def __init__(self, inside):
        self.app = inside

    def __call__(self, environ, start_response):
        _, customer, rest = environ["PATH_INFO"].split("/", 2)
        environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}/{customer}"
        environ["PATH_INFO"] = f"/{rest}"
        return self.app(environ, start_response)


by_customer = ByCustomer(app)
