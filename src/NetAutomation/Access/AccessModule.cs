using NetAutomation.Access.KeepMembers;
using NetAutomation.Access.Keys;
using NetAutomation.Web;

namespace NetAutomation.Access;

/// <summary>The people and systems of a tenant, and their keys.</summary>
internal static class AccessModule
{
    public static void AddAccess(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<KeyDirectory>();
        services.AddSingleton(ExportPart.Of("member", (from, page, cancel) => ManageMembers.List(page, from.Db, cancel)));
        services.AddSingleton(ExportPart.Of("api_key", (from, page, cancel) => ManageKeys.ListApiKeys(from.Db, from.Caller, page, cancel)));
    }

    public static void MapAccess(this ApiRoutes routes)
    {
        var admin = new RequiredRole(MemberRole.Admin);
        var members = routes.Customer.MapGroup("/members").WithTags("Access");
        members.MapGet("/", ManageMembers.List).WithName("ListMembers");
        members.MapPost("/", ManageMembers.Create).WithName("CreateMember")
            .WithMetadata(admin, new Refuses(Problems.MemberNameTaken, Web.Problems.LimitReached));
        members.MapGet("/{id}", ManageMembers.Show).WithName("ShowMember");
        members.MapPatch("/{id}", ManageMembers.Change).WithName("ChangeMember")
            .WithMetadata(admin, new AllowedWhenSuspended(), new Refuses(Problems.MemberNameTaken, Problems.LastAdmin));
        members.MapDelete("/{id}", ManageMembers.Delete).WithName("DeleteMember").WithMetadata(admin, new Refuses(Problems.MemberInUse));

        var keys = routes.Customer.MapGroup("/api-keys").WithTags("Access");
        keys.MapGet("", ManageKeys.ListApiKeys).WithName("ListApiKeys");
        var full = new Refuses(Web.Problems.LimitReached);
        keys.MapPost("", ManageKeys.CreateApiKey).WithName("CreateApiKey").WithMetadata(admin, new SecretOnce(), full);
        keys.MapPost("/{id}:rotate", ManageKeys.RotateApiKey).WithName("RotateApiKey").WithMetadata(admin, new SecretOnce(), full);
        keys.MapDelete("/{id}", ManageKeys.RevokeApiKey).WithName("RevokeApiKey")
            .WithMetadata(admin, new Unconditional(), new AllowedWhenSuspended(), new Refuses(Problems.LastAdminKey));
    }
}
