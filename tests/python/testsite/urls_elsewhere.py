"""What a middleware chooses for some requests."""

from django.urls import path

from testsite import views

urlpatterns = [path("elsewhere/<word>/", views.decorated, name="elsewhere")]
