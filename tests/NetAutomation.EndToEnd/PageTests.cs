namespace NetAutomation.EndToEnd;

public sealed class PageTests(LocalProduct product)
{
    [Fact]
    public async Task Swagger_UI_authorizes_and_calls_the_API_and_loads_nothing_from_elsewhere()
    {
        var customer = await product.Customer(1);
        Assert.SkipUnless(Browser.Installed, "Needs Chromium (deploy/local/install --with-browser).");
        await using var browser = await customer.Browse();
        await browser.Open($"{customer.Api}/swagger/index.html");

        await browser.Click(".swagger-ui .auth-wrapper .btn.authorize");
        await browser.Type(".modal-ux input", customer.Key);
        await browser.Click(".modal-ux .btn.authorize");
        await browser.Click(".modal-ux .btn-done");
        await browser.Click("[id$=-GetMe] .opblock-summary-control");
        await browser.Click("[id$=-GetMe] .try-out__btn");
        await browser.Click("[id$=-GetMe] .execute");
        await browser.Await("document.querySelector('[id$=-GetMe] .live-responses-table tbody .response-col_status')");

        (await browser.Evaluate(
            "document.querySelector('[id$=-GetMe] .live-responses-table tbody .response-col_status').innerText"))!.GetValue<string>()
                .ShouldStartWith("200");
        (await browser.Evaluate("document.querySelector('[id$=-GetMe] .live-responses-table').innerText"))!.GetValue<string>()
            .ShouldContain("\"role\": \"admin\"");
        (await browser.Evaluate(
            "performance.getEntriesByType('resource')"
            + ".filter(entry => new URL(entry.name).origin !== location.origin && !entry.name.startsWith('data:')).length"))!
            .GetValue<int>().ShouldBe(0);
    }
}
