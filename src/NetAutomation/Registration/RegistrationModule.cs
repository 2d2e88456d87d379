using Microsoft.AspNetCore.Mvc;
using NetAutomation.Registration.Browser;
using NetAutomation.Web;

namespace NetAutomation.Registration;

/// <summary>The page that leads a buyer from AWS Marketplace to the first run.</summary>
internal static class RegistrationModule
{
    public static void AddRegistration(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<RegistrationOptions>().BindConfiguration("Onboarding");
        builder.Services.AddScoped<BuyerSession>();
    }

    public static void MapRegistration(this ApiRoutes routes)
    {
        routes.Registration.WithMetadata(new RequestSizeLimitAttribute(PostedForm.LargestBody));
        routes.Registration.MapGet("/registration", RegistrationPage.Show);
        routes.Registration.MapPost("/registration", RegisterBuyer.Handle);
        routes.Registration.MapGet("/registration/status", RegistrationPage.Status);
        routes.Registration.MapPost("/registration/key", RegistrationPage.IssueFirstKey);
        routes.Registration.MapPost("/registration/accounts", RegistrationPage.ClaimAccount);
        routes.Registration.MapPost("/registration/accounts/prove", RegistrationPage.ProveClaim);
    }
}
