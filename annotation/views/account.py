from django.contrib.auth.views import LoginView, PasswordChangeView
from django.contrib.messages.views import SuccessMessageMixin
from django.urls import reverse_lazy


class SignIn(LoginView):
    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True


class PasswordChange(SuccessMessageMixin, PasswordChangeView):
    template_name = "registration/password_change.html"
    success_url = reverse_lazy("studies")
    success_message = "Your password is changed."
